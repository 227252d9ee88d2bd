import { ApiError, askForKey, call, getJson, type PluginStatus, type Readiness } from "./api";
import { element, make } from "./dom";

/** The name of the model that this project ships: its folder's. */
const DEMO_MODEL = "demo";

export function isDemo(readiness: Readiness): boolean {
  return readiness.model === DEMO_MODEL;
}

export async function askReadiness(): Promise<Readiness> {
  for (;;) {
    // Not ready is an answer too. Without a good key the host says that it is ready, and no more.
    const readiness = (await (await call("health/ready")).json()) as Readiness;
    if (readiness.status !== "ready" || readiness.model !== undefined) return readiness;
    await askForKey();
  }
}

/** Shows which model is loaded and what became of the plugins. */
export async function showSystem(): Promise<void> {
  const readiness = await askReadiness();
  const facts: [string, string | undefined][] =
    readiness.status === "ready"
      ? [
          ["model", readiness.model],
          ["backend", readiness.backend],
          ["adapter", readiness.adapter],
          ["languages", readiness.languages?.join(", ")],
          ["sample rate", readiness.sampleRateHz ? `${readiness.sampleRateHz / 1000} kHz` : undefined],
        ]
      : [["model", readiness.detail ?? "none yet"]];
  element("model").replaceChildren(
    ...facts.filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: value! }))),
  );
  element("model-note").textContent = isDemo(readiness)
    ? "The demo model knows synthetic voices only. For people’s voices: ./asr models pull openai/whisper-small, then ./run.sh --model openai/whisper-small."
    : "";

  const plugins = await getJson<PluginStatus[]>("api/plugins").catch((error: unknown) => {
    // A host may keep this for its administrators.
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return null;
    throw error;
  });
  const empty = element("plugins-empty");
  empty.hidden = plugins !== null && plugins.length > 0;
  empty.textContent = plugins === null ? "This host shows them to administrators only." : "There are none.";
  element("plugins").replaceChildren(
    ...(plugins ?? []).map((plugin) => {
      const pill = make("span", { class: "pill", text: plugin.state });
      pill.dataset["state"] = plugin.state === "loaded" ? "live" : plugin.state === "disabled" ? "ended" : "broken";
      return make(
        "li",
        {},
        make("div", { class: "name" }, pill, make("b", { text: plugin.id }), ...(plugin.version ? [make("span", { class: "hint", text: plugin.version })] : [])),
        ...(plugin.description ? [make("p", { text: plugin.description })] : []),
        ...(plugin.reason ? [make("p", { class: "problem", text: plugin.reason })] : []),
        ...(plugin.remedy ? [make("p", { class: "hint", text: `To load it: ${plugin.remedy}` })] : []),
      );
    }),
  );
}
