import { element } from "./dom";

const SIZES = [70, 85, 100, 120, 145, 175, 210, 260];
const NORMAL = 100;

/** What this browser remembers; a browser that keeps nothing gives the defaults each time. */
export const remembered = {
  get(name: string): string | null {
    try {
      return localStorage.getItem(`asr.${name}`);
    } catch {
      return null;
    }
  },
  set(name: string, value: string): void {
    try {
      localStorage.setItem(`asr.${name}`, value);
    } catch {
      // Private windows of some browsers refuse: the choice holds for this page alone.
    }
  },
};

/** Text size, colours, word confidence and times, as the user wants them. */
export function bindPreferences(onChange: () => void): void {
  const theme = element<HTMLSelectElement>("theme");
  const confidence = element<HTMLInputElement>("confidence");
  const times = element<HTMLInputElement>("times");
  const scroller = element("scroller");
  let size = SIZES.includes(Number(remembered.get("size"))) ? Number(remembered.get("size")) : NORMAL;
  const saved = remembered.get("theme");
  if (saved && [...theme.options].some((option) => option.value === saved)) theme.value = saved;
  confidence.checked = remembered.get("confidence") === "on";
  times.checked = remembered.get("times") !== "off";

  const apply = (): void => {
    document.documentElement.dataset["theme"] = theme.value;
    scroller.style.setProperty("--scale", String(size / 100));
    scroller.classList.toggle("with-confidence", confidence.checked);
    scroller.classList.toggle("without-times", !times.checked);
    element("confidence-key").hidden = !confidence.checked;
    element("size").textContent = `${size} %`;
    element<HTMLButtonElement>("smaller").disabled = size === SIZES[0];
    element<HTMLButtonElement>("larger").disabled = size === SIZES.at(-1);
    remembered.set("size", String(size));
    remembered.set("theme", theme.value);
    remembered.set("confidence", confidence.checked ? "on" : "off");
    remembered.set("times", times.checked ? "on" : "off");
    onChange();
  };
  const resize = (by: number): void => {
    size = SIZES[SIZES.indexOf(size) + by] ?? size;
    apply();
  };
  element("smaller").addEventListener("click", () => resize(-1));
  element("larger").addEventListener("click", () => resize(1));
  for (const control of [theme, confidence, times]) control.addEventListener("change", apply);
  apply();
}
