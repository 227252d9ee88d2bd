import { succeed } from "./api";
import { diffText, wordDiff } from "./diff";
import { element, make, onClick } from "./dom";
import { playFile } from "./player";
import type { StoredCorrection } from "./protocol";

/** The base model where an adapter may stand. */
const BASE = "none";

/** What the base model, the adapter before and the active one make of a correction's clip. */
export class Comparison {
  private clips: StoredCorrection[] = [];
  private readonly select = element<HTMLSelectElement>("compare-clip");

  /** @param versions Gives what is compared: names and adapters' ids, null for the base model. */
  constructor(private readonly versions: () => [string, string | null][]) {
    onClick(element<HTMLButtonElement>("compare"), () => this.compare());
    onClick(element<HTMLButtonElement>("compare-play"), async () => {
      const clip = this.chosen();
      if (clip?.clip) await playFile(`api/corrections/${clip.number}/audio`);
    });
  }

  /** Offers the corrections that have a clip. */
  offer(items: StoredCorrection[]): void {
    const clips = items.filter((item) => item.clip);
    if (JSON.stringify(clips.map(nameOf)) === JSON.stringify(this.clips.map(nameOf))) return;
    const before = this.select.value;
    this.clips = clips;
    this.select.replaceChildren(...clips.map((item) => new Option(nameOf(item), String(item.number))));
    if (clips.some((item) => String(item.number) === before)) this.select.value = before;
    element("compare-card").hidden = clips.length === 0;
  }

  private chosen(): StoredCorrection | undefined {
    return this.clips.find((item) => String(item.number) === this.select.value);
  }

  private async compare(): Promise<void> {
    const clip = this.chosen();
    if (!clip) return;
    const rows = element("compared");
    rows.replaceChildren(row("said", null, make("span", { text: clip.text })));
    element("compared-table").hidden = false;
    for (const [name, adapter] of this.versions()) {
      const waiting = row(name, adapter, make("span", { class: "hint", text: "listening…" }));
      rows.append(waiting);
      const heard = await transcribe(clip, adapter ?? BASE);
      waiting.replaceWith(row(name, adapter, diffText(wordDiff(heard, clip.text), clip.language)));
    }
  }
}

function nameOf({ number, text }: StoredCorrection): string {
  return `#${number} ${text}`;
}

function row(name: string, adapter: string | null, text: HTMLElement): HTMLElement {
  const head = make("th", { text: name }, ...(adapter ? [make("code", { class: "hint", text: adapter })] : []));
  head.scope = "row";
  return make("tr", {}, head, make("td", {}, text));
}

/** A correction's clip, as an adapter hears it. */
async function transcribe(clip: StoredCorrection, adapter: string): Promise<string> {
  const audio = await (await succeed(`api/corrections/${clip.number}/audio`)).blob();
  const form = new FormData();
  form.set("file", audio, "clip.wav");
  form.set("adapter", adapter);
  form.set("response_format", "json");
  if (clip.language) form.set("language", clip.language);
  const answer = (await (await succeed("v1/audio/transcriptions", { method: "POST", body: form })).json()) as { text: string };
  return answer.text.trim();
}
