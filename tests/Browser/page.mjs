// Uses the page as people do, in headless Chromium, and prints what it shows, as JSON. tests/Host.Tests/Live/PageTests.cs and PageCircleTests.cs judge.
//   node tests/Browser/page.mjs --scenario file|microphone|overlay|sample|lesson|refusal|keys|correcting|circle --url http://127.0.0.1:5080 --wav FILE [--key KEY] [--text TEXT] [--exam FILE --go FILE] [--screenshots FOLDER]
import { createServer, connect } from "node:net";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { attempt, Chromium } from "./chromium.mjs";

const { values: options } = parseArgs({
  options: { scenario: { type: "string" }, url: { type: "string" }, wav: { type: "string" }, key: { type: "string" }, text: { type: "string" }, exam: { type: "string" }, go: { type: "string" }, screenshots: { type: "string" } },
});
// Chromium opens no path that has "..".
const wav = resolve(options.wav ?? "");
const tabs = [];
const ENDED = `/ended|stopped/.test(document.getElementById("connection").textContent)`;
const READY = `document.getElementById("missing").hidden && !document.getElementById("start").disabled`;
const OVERLAY = `document.getElementById("lines").innerText.trim()`;

/** A file is captioned to its end over a connection that breaks in the middle; then its link is opened as another viewer would. */
async function file() {
  const proxy = await Proxy.to(options.url);
  try {
    const speaker = await open(proxy.url);
    await speaker.until(`document.getElementById("missing").hidden`, "the host is ready");
    await choose(speaker, "file");
    await speaker.choose("#file", wav);
    await speaker.until(READY, "the file is chosen");
    await speaker.click("#start");
    await speaker.until(`document.querySelector(".segment.tentative:not([hidden])")?.textContent !== undefined`, "a tentative caption");
    const tentative = await speaker.evaluate(`document.querySelector("#lines").innerText`);
    await speaker.screenshot("file");
    const cuts = proxy.cut();
    await speaker.until(ENDED, "the end of the session");
    const link = await speaker.evaluate(`location.href`);
    const viewer = await open(link);
    await viewer.until(ENDED, "the end of the viewing");
    const id = new URL(link).searchParams.get("session");
    return { tentative, cuts, session: await session(id), speaker: await shown(speaker), viewer: await shown(viewer) };
  } finally {
    proxy.close();
  }
}

/** The microphone, with a viewer, an overlay, a reload of the speaker's page, and a correction by the viewer. */
async function microphone() {
  const speaker = await open(options.url);
  await speaker.until(`document.getElementById("missing").hidden`, "the host is ready");
  await choose(speaker, "microphone");
  await speaker.until(READY, "the microphone can be used");

  // The clip plays once, and is over before a busy machine looks again: the loudest moment is kept.
  await speaker.evaluate(`{
    const meter = document.getElementById("level");
    window.loudest = 0;
    new MutationObserver(() => { window.loudest = Math.max(window.loudest, Number(meter.style.getPropertyValue("--level"))); }).observe(meter, { attributes: true });
  }`);
  await speaker.click("#start");
  await speaker.until(`new URLSearchParams(location.search).has("session")`, "the session");
  const link = await speaker.evaluate(`location.href`);
  const id = new URL(link).searchParams.get("session");
  const viewer = await open(link);
  const overlay = await open(new URL(`overlay/${id}`, options.url).href);
  await speaker.until(`document.querySelector(".segment.tentative:not([hidden])") !== null`, "a tentative caption");
  const level = await speaker.until(`window.loudest > 0.2`, "the level");
  await speaker.screenshot("microphone");
  await speaker.until(`document.querySelector(".segment.committed:not([hidden])") !== null`, "a committed caption");
  await viewer.until(`document.querySelector(".segment.committed:not([hidden])") !== null`, "a committed caption at the viewer");
  await overlay.until(`${OVERLAY} !== ""`, "the overlay's text");

  // Its user reloads: the captions are there again, and the session goes on.
  const before = await shown(speaker);
  const acknowledgedBefore = (await session(id)).acknowledgedSamples;
  await speaker.call("Page.reload");
  await speaker.until(`document.readyState === "complete" && !document.getElementById("end-own").hidden`, "the offer to go on");
  await speaker.until(`document.querySelector(".segment.committed:not([hidden])") !== null`, "the captions after the reload");
  const reloaded = await shown(speaker);
  await speaker.screenshot("reloaded");
  await choose(speaker, "microphone");
  await speaker.until(READY, "the host is ready again");
  await speaker.click("#start");
  await attempt("audio after the reload", async () => (await session(id)).acknowledgedSamples > acknowledgedBefore + 8000);

  // The viewer corrects, everybody sees it.
  await viewer.click(".segment.committed");
  await viewer.until(`document.activeElement.tagName === "TEXTAREA"`, "the editor");
  await viewer.evaluate(`document.activeElement.select()`);
  const given = "A text that a person gave.";
  await viewer.type(given);
  await viewer.screenshot("correcting");
  await viewer.press("Enter");
  // The text is divided among the segments of the utterance, which are corrected one after the other.
  const corrected = `[[...document.querySelectorAll(".segment.corrected")].map(part => part.textContent.trim()).filter(Boolean).join(" ")]
    .find(text => text === ${JSON.stringify(given)})`;
  const seen = {};
  for (const [name, tab] of Object.entries({ viewer, speaker, overlay })) seen[name] = await tab.until(corrected, `the correction at the ${name}`);
  await viewer.screenshot("corrected");

  await speaker.click("#stop");
  for (const tab of [speaker, viewer]) await tab.until(ENDED, "the end of the session");
  await speaker.screenshot("end");
  return { id, level, before, reloaded, corrected: seen, speaker: await shown(speaker), viewer: await shown(viewer) };
}

/** A clip of the page's own, and what an overlay of its session shows. */
async function overlay() {
  const speaker = await open(options.url);
  await speaker.until(READY, "the host is ready");
  await speaker.click("#start");
  await speaker.until(`new URLSearchParams(location.search).has("session")`, "the session");
  const id = await speaker.evaluate(`new URLSearchParams(location.search).get("session")`);
  const tab = await open(new URL(`overlay/${id}?lines=2&size=40&color=ffee00&outline=black&align=left`, options.url).href);
  await tab.until(`${OVERLAY} !== ""`, "the overlay's text");
  await tab.screenshot("overlay");
  return { overlaid: await overlaid(tab) };
}

/** The card that leads newcomers round: another clip than its own is no step of it. */
async function lesson() {
  const tab = await open(options.url);
  await tab.until(READY, "the host is ready");
  const steps = [await tab.evaluate(`document.getElementById("lesson-step").textContent`)];
  const play = async (button) => {
    await tab.click(button);
    await tab.until(`document.getElementById("running-time").textContent >= "0:01"`, "a second of the clip");
    await tab.click("#stop");
    await tab.until(ENDED, "the end of the session");
    steps.push(await tab.evaluate(`document.getElementById("lesson-step").textContent`));
  };
  await play("#start");
  await play("#lesson-play");
  return { steps };
}

/** A clip of the page's own, then the other views, on a phone: nothing is wider than the screen. */
async function sample() {
  const tab = await open(options.url);
  await tab.size(360, 740, true);
  await tab.until(READY, "the host is ready");
  const widths = {};
  const measure = async (name) => {
    widths[name] = await tab.evaluate(`document.documentElement.scrollWidth`);
    await tab.screenshot(`phone-${name}`);
  };
  await measure("start");
  await tab.click("#start");
  await tab.until(`document.getElementById("running-time").textContent >= "0:04"`, "four seconds of the clip");
  await measure("running");
  await tab.until(ENDED, "the end of the session");
  await tab.evaluate(`document.querySelector("#stage .menu").open = true`);
  await measure("menu");
  const id = await tab.evaluate(`new URLSearchParams(location.search).get("session")`);
  await tab.evaluate(`location.hash = "sessions"`);
  await tab.until(`document.querySelector("#sessions li") !== null`, "the list of sessions");
  await measure("sessions");
  const listed = await tab.evaluate(`document.querySelector("#sessions li").innerText`);
  await tab.evaluate(`location.hash = "corrections"`);
  await tab.until(`!document.getElementById("corrections-empty").hidden`, "the empty list of corrections");
  await measure("corrections");
  await tab.evaluate(`location.hash = "learning"`);
  await tab.until(`!document.getElementById("adapters-empty").hidden`, "the adapters");
  await measure("learning");
  const learning = await tab.evaluate(`document.getElementById("learning-view").innerText`);
  await tab.evaluate(`location.hash = "system"`);
  await tab.until(`document.querySelector("#plugins li") !== null`, "the plugins");
  await measure("system");
  const system = await tab.evaluate(`document.getElementById("system-view").innerText`);
  return { widths, session: await session(id), listed, learning, system, shown: await shown(tab) };
}

/** Nobody grants the microphone: the page says what to do, and starts no session. */
async function refusal() {
  const tab = await open(options.url);
  await tab.until(READY, "the host is ready");
  await choose(tab, "microphone");
  await tab.click("#start");
  await tab.until(`!document.getElementById("message").hidden`, "a message");
  const refused = await shown(tab);
  await tab.screenshot("refused");
  const sessions = (await (await fetch(new URL("api/sessions", options.url))).json()).length;
  return { refused, sessions, canStart: await tab.evaluate(`!document.getElementById("start").disabled`) };
}

/** A host that wants a key: it is asked for, refused when wrong, and kept; an overlay brings it along. In the end the session is deleted. */
async function keys() {
  const tab = await open(options.url);
  const asked = `document.getElementById("key-dialog").open && document.activeElement.id === "key"`;
  await tab.until(asked, "the question for a key");
  await tab.type("not-a-key");
  await tab.press("Enter");
  await tab.until(`${asked} && !document.getElementById("key-wrong").hidden`, "the question again");
  await tab.screenshot("key");
  await tab.type(options.key);
  await tab.press("Enter");
  await tab.until(READY, "the host is ready");
  await tab.click("#start");
  await tab.until(`new URLSearchParams(location.search).has("session")`, "the session");
  const id = await tab.evaluate(`new URLSearchParams(location.search).get("session")`);
  const overlay = await open(new URL(`overlay/${id}#key=${options.key}`, options.url).href);
  await overlay.until(`${OVERLAY} !== ""`, "the overlay's text");
  const address = await overlay.evaluate(`location.href`);
  await tab.until(ENDED, "the end of the session");
  await tab.call("Page.reload");
  await tab.until(`document.readyState === "complete" && ${ENDED}`, "the session after a reload");
  const reloaded = await shown(tab);

  await tab.evaluate(`location.hash = "sessions"`);
  await tab.until(`document.querySelector("#sessions .danger") !== null`, "the list of sessions");
  await tab.click("#sessions .danger");
  await tab.until(`document.getElementById("confirm-dialog").open`, "the question whether to delete");
  await tab.screenshot("delete");
  await tab.click('#confirm-dialog button[value="do"]');
  await tab.until(`!document.getElementById("sessions-empty").hidden`, "the empty list again");
  return { address, reloaded, message: await tab.evaluate(`document.getElementById("message").textContent`) };
}

/** A caption is corrected by keyboard alone, as one text although it came in segments; then somebody else opens the session. */
async function correcting() {
  const tab = await open(options.url);
  const heard = await play(tab, wav);
  const segments = (await shown(tab)).segments;

  const focused = `document.activeElement.classList.contains("utterance")`;
  const editing = `document.activeElement.tagName === "TEXTAREA"`;
  await tab.evaluate(`document.querySelector('.utterance[tabindex="0"]').focus()`);
  await tab.press("F2");
  const text = await tab.until(`${editing} && document.activeElement.value`, "the editor");
  const played = await tab.until(
    `performance.getEntriesByType("resource").filter((entry) => entry.name.endsWith("/audio.wav") && entry.responseStatus === 206).length`,
    "the audio of the caption",
  );
  await tab.screenshot("editing");
  await tab.type("nothing that stays");
  await tab.press("Escape");
  await tab.until(focused, "the caption's focus after Escape");
  const left = await utterances(tab);

  await tab.press("Enter");
  await tab.until(editing, "the editor again");
  await correct(tab, options.text);
  await tab.until(`${focused} && document.querySelector(".segment.corrected") !== null`, "the corrected caption");
  const viewer = await open(await tab.evaluate(`location.href`));
  await viewer.until(ENDED, "the end of the viewing");
  const id = new URL(await tab.evaluate(`location.href`)).searchParams.get("session");
  const exported = await (await fetch(new URL(`api/sessions/${id}/captions.txt`, options.url))).text();
  return { heard, segments, text, played, left, corrected: await utterances(tab), seen: await utterances(viewer), exported, shown: await shown(tab) };
}

/** The whole loop: a clip is captioned and corrected, learned from, and another clip is captioned by what came of it; then it is taken back. */
async function circle() {
  const tab = await open(options.url);
  const row = `document.querySelector("#corrections li")?.innerText`;
  const lineage = `document.getElementById("lineage").textContent`;

  const before = await play(tab, wav);
  const words = ["three", "four", "five", "six", "seven"];
  if (before.length !== words.length) throw new Error(`${before.length} utterances`);
  // The first one last: the newest correction is listed first.
  for (let index = words.length - 1; index >= 0; index--) {
    await tab.evaluate(`document.querySelectorAll(".utterance[tabindex]")[${index}].focus()`);
    await tab.press("Enter");
    await tab.until(`document.activeElement.tagName === "TEXTAREA"`, "the editor");
    await correct(tab, `one two ${words[index]}`);
    await tab.until(`document.querySelector("form.correction") === null`, "the saved correction");
  }
  await tab.until(`document.querySelector(".by")?.textContent.includes("Ada")`, "who corrected");
  const corrected = (await utterances(tab))[0];
  await tab.screenshot("circle-corrected");

  await tab.evaluate(`location.hash = "corrections"`);
  const listed = await tab.until(`${row}?.includes("ready") && ${row}`, "the correction, ready");
  await tab.screenshot("circle-listed");
  await tab.evaluate(`location.hash = "learning"`);
  await tab.until(`!document.getElementById("learn").disabled`, "something to learn");
  await tab.click("#learn");
  await tab.until(`!document.getElementById("loss").hidden`, "the curve of the loss");
  const progress = await tab.evaluate(`document.getElementById("round-figures").textContent`);
  await tab.screenshot("circle-training");
  writeFileSync(options.go, "");
  await tab.until(`!document.getElementById("promoted").hidden && ${lineage} !== "base model"`, "the promotion");
  const promoted = await tab.evaluate(`document.getElementById("promoted-text").textContent`);
  const round = await tab.until(`document.querySelector("#rounds .pill")?.textContent === "promoted" && document.querySelector("#rounds li").innerText`, "the round's outcome");
  const rates = await tab.until(`[...document.querySelectorAll("#rates tr")].map((row) => [...row.children].map((cell) => cell.textContent).join("|"))`, "the error rates");
  const shownLineage = await tab.evaluate(lineage);
  const adapter = await tab.evaluate(`document.querySelector("#adapters code").textContent`);
  await tab.click("#compare");
  const compared = await tab.until(
    `document.querySelectorAll("#compared tr").length === 3 && !document.getElementById("compared").textContent.includes("listening") && [...document.querySelectorAll("#compared td")].map((cell) => cell.textContent)`,
    "the comparison",
  );
  await tab.screenshot("circle-promoted");
  await tab.evaluate(`location.hash = "corrections"`);
  const learned = await tab.until(`${row}?.includes("learned by") && ${row}`, "the correction, learned");

  const after = await play(tab, resolve(options.exam));
  await tab.screenshot("circle-exam");
  await tab.evaluate(`location.hash = "learning"`);
  await tab.until(`!document.getElementById("roll-back").hidden`, "something to take back");
  await tab.click("#roll-back");
  await tab.until(`document.getElementById("confirm-dialog").open`, "the question whether to roll back");
  await tab.click('#confirm-dialog button[value="do"]');
  const rolledBack = await tab.until(`${lineage} === "base model" && ${lineage}`, "the base model again");
  return { before, corrected, listed, progress, promoted, round, rates, lineage: shownLineage, adapter, compared, learned, after, rolledBack };
}

/** Captions a file in a new session, to its end. */
async function play(tab, path) {
  await tab.evaluate(`location.hash = "captions"`);
  await tab.until(`document.getElementById("missing").hidden`, "the host is ready");
  await choose(tab, "file");
  await tab.choose("#file", path);
  await tab.until(READY, "the file is chosen");
  await tab.click("#start");
  await tab.until(`document.getElementById("connection").textContent === "live"`, "the session");
  await tab.until(ENDED, "the end of the session");
  return utterances(tab);
}

/** Ada replaces the text in the open editor and saves it. */
async function correct(tab, text) {
  const author = `document.querySelector("form.correction .author")`;
  await tab.evaluate(`${author}.value = "Ada"; ${author}.dispatchEvent(new Event("change"))`);
  await tab.evaluate(`document.activeElement.select()`);
  await tab.type(text);
  await tab.press("Enter");
}

/** What can be corrected at once, as it reads. */
function utterances(tab) {
  return tab.evaluate(`[...document.querySelectorAll("#lines .utterance")].map((one) => [...one.querySelectorAll(".segment:not([hidden])")].map((segment) => segment.textContent).join("").trim()).filter(Boolean)`);
}

/** How an overlay looks. */
function overlaid(overlay) {
  return overlay.evaluate(`(() => {
    const box = document.getElementById("box");
    return {
      text: ${OVERLAY},
      background: getComputedStyle(document.documentElement).backgroundColor + getComputedStyle(document.body).backgroundColor,
      overflow: getComputedStyle(document.documentElement).overflow,
      colour: getComputedStyle(document.querySelector(".segment")).color,
      align: getComputedStyle(box).textAlign,
      lines: Math.round(box.clientHeight / (1.3 * parseFloat(getComputedStyle(box).fontSize))),
    };
  })()`);
}

async function open(url) {
  const tab = await browser.open(url);
  tabs.push(tab);
  return tab;
}

function choose(tab, source) {
  return tab.evaluate(`document.querySelector('input[name="source"][value="${source}"]').click()`);
}

async function session(id) {
  return (await fetch(new URL(`api/sessions/${id}`, options.url))).json();
}

async function shown(tab) {
  return JSON.parse(await tab.evaluate(`JSON.stringify({
    segments: [...document.querySelectorAll("#lines .segment:is(.committed, .corrected):not([hidden])")].map((segment) => segment.textContent.trim()),
    tentative: [...document.querySelectorAll("#lines .segment.tentative:not([hidden])")].map((segment) => segment.textContent.trim()),
    connection: document.getElementById("connection")?.textContent,
    message: document.getElementById("message")?.textContent,
  })`));
}

/** Stands between browser and host, so that the connections between them can be cut. */
class Proxy {
  static async to(url) {
    const { hostname, port } = new URL(url);
    const proxy = new Proxy();
    proxy.sockets = new Set();
    proxy.server = createServer((client) => {
      const host = connect({ host: hostname, port: Number(port) });
      for (const socket of [client, host]) {
        proxy.sockets.add(socket);
        socket.on("error", () => {}).on("close", () => {
          proxy.sockets.delete(socket);
          client.destroy();
          host.destroy();
        });
      }
      client.pipe(host).pipe(client);
    });
    await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}/`;
    return proxy;
  }

  /** Cuts what is connected; how many connections that were. */
  cut() {
    const cut = this.sockets.size / 2;
    for (const socket of this.sockets) socket.resetAndDestroy();
    return cut;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

const scenarios = { file, microphone, overlay, sample, lesson, refusal, keys, correcting, circle };
const browser = await Chromium.start({ microphone: options.scenario === "refusal" ? undefined : wav, screenshots: options.screenshots });
try {
  const report = await scenarios[options.scenario]();
  console.log(JSON.stringify({ ...report, errors: tabs.flatMap((tab) => tab.errors) }));
} catch (error) {
  for (const tab of tabs) console.error(JSON.stringify(await shown(tab).catch(String)), tab.errors);
  await tabs[0]?.screenshot("failed");
  throw error;
} finally {
  await browser.stop();
}
