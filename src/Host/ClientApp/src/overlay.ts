// Captions over a video, as a browser source in OBS: /overlay/SESSION?lines=2&size=48&color=white&outline=black&align=center
// &tentative=on&fade=8. A host that wants a key is given it after the address: #key=…
import "./overlay.css";
import { takeKeyFromAddress } from "./api";
import { CaptionsView } from "./captions";
import { element, wait } from "./dom";
import { LiveSession } from "./session";

/** Paragraphs kept: more text than any overlay shows. */
const PARAGRAPHS = 6;

/** A session that is not there yet, or is over, is asked for again after this time. */
const RETRY_MS = 3000;

const query = new URLSearchParams(location.search);
const box = element("box");

/** A number of the query within bounds, or the default. */
function number(name: string, fallback: number, lowest: number, highest: number): number {
  const given = Number.parseFloat(query.get(name) ?? "");
  return Number.isFinite(given) ? Math.min(highest, Math.max(lowest, given)) : fallback;
}

/** A colour of the query: CSS's names, or hexadecimal with or without its #. */
function colour(name: string, fallback: string): string {
  const given = query.get(name) ?? (name === "color" ? query.get("colour") : null) ?? "";
  return [given, `#${given}`].find((candidate) => CSS.supports("color", candidate)) ?? fallback;
}

const tentative = query.get("tentative") !== "off";
const fadeMs = 1000 * number("fade", 0, 0, 3600);
const align = query.get("align") ?? "";
box.style.setProperty("--lines", String(Math.round(number("lines", 2, 1, 20))));
box.style.setProperty("--size", `${number("size", 48, 8, 400)}px`);
box.style.setProperty("--colour", colour("color", "white"));
box.style.setProperty("--outline", colour("outline", "black"));
box.style.setProperty("--align", ["left", "center", "right"].includes(align) ? align : "center");

let timer = 0;
const view = new CaptionsView(element("lines"), {
  hasTimes: false,
  showsTentative: tentative,
  keepParagraphs: PARAGRAPHS,
  onChange: () => {
    window.clearTimeout(timer);
    if (fadeMs === 0 || view.isEmpty) return;
    box.classList.remove("faded");
    timer = window.setTimeout(() => box.classList.add("faded"), fadeMs);
  },
});

// What has faded does not come back with the next words.
box.addEventListener("transitionend", () => {
  if (box.classList.contains("faded")) view.hideShown();
});

takeKeyFromAddress();
const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
for (;;) {
  const session = new LiveSession("../hubs/captions", id, false, {
    state: (state) => (document.documentElement.dataset["state"] = state),
    update: (update) => view.show(update),
    restarted: () => view.clear(),
  });
  const outcome = await session.finished.then(
    () => "ended",
    () => "failed",
  );
  await session.close();
  if (outcome === "ended") break;
  await wait(RETRY_MS);
}
