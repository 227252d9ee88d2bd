// Uses the page as a person does, in headless Chromium, and prints what it shows, as JSON:
//   node tests/Browser/page.mjs --url http://127.0.0.1:5080 --wav FILE [--screenshots FOLDER]
// The file is captioned to its end, then the session's link is opened as another viewer would. tests/Host.Tests/Live/PageTests.cs judges.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

// A WebSocket for Node.js 20: the one that the SignalR client brings.
const page = createRequire(new URL("../../src/Host/ClientApp/package.json", import.meta.url));
const WebSocket = createRequire(page.resolve("@microsoft/signalr"))("ws");

const { values: options } = parseArgs({ options: { url: { type: "string" }, wav: { type: "string" }, screenshots: { type: "string" } } });
const profile = mkdtempSync(join(tmpdir(), "asr-page-"));
const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--window-size=1100,800",
  "--remote-debugging-port=0", `--user-data-dir=${profile}`,
];
const chromium = spawn("/usr/bin/chromium", [...flags, "about:blank"], { stdio: "ignore" });
try {
  const browser = await connect();
  await browser.call("Page.navigate", { url: options.url });
  await browser.until(`!document.getElementById("microphone").disabled`, "the host is ready");
  await browser.screenshot("start");
  await browser.choose("#file", options.wav);
  await browser.evaluate(`document.getElementById("play").click()`);
  await browser.until(`document.getElementById("tentative").textContent !== ""`, "a tentative caption");
  const tentative = await browser.evaluate(`document.getElementById("tentative").textContent`);
  await browser.screenshot("tentative");
  await browser.until(`/ended|stopped/.test(document.getElementById("connection").textContent)`, "the end of the session");
  await browser.screenshot("end");
  const speaker = await browser.shown();
  const link = await browser.evaluate(`document.getElementById("session-link").href`);

  await browser.call("Page.navigate", { url: link });
  await browser.until(`/ended|stopped/.test(document.getElementById("connection").textContent)`, "the end of the viewing");
  await browser.screenshot("viewer");
  console.log(JSON.stringify({ tentative, speaker, viewer: await browser.shown(), errors: browser.errors }));
} finally {
  const gone = new Promise((resolve) => chromium.once("exit", resolve));
  chromium.kill();
  await gone;
  rmSync(profile, { recursive: true, force: true });
}

/** The browser's first page, over its debugging protocol. */
async function connect() {
  const port = await attempt("Chromium's debugging port", () => readFileSync(join(profile, "DevToolsActivePort"), "utf8").split("\n")[0]);
  const target = await attempt("Chromium's page", async () =>
    (await (await fetch(`http://127.0.0.1:${port}/json`)).json()).find((candidate) => candidate.type === "page"),
  );
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const waiting = new Map();
  const errors = [];
  let calls = 0;
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.id) waiting.get(message.id)(message);
    else if (message.method === "Runtime.exceptionThrown") errors.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
    else if (message.method === "Log.entryAdded" && message.params.entry.level === "error") errors.push(`${message.params.entry.text} ${message.params.entry.url ?? ""}`);
  });
  const call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      waiting.set(++calls, (message) => (message.error ? reject(new Error(`${method}: ${message.error.message}`)) : resolve(message.result)));
      socket.send(JSON.stringify({ id: calls, method, params }));
    });
  const evaluate = async (expression) => (await call("Runtime.evaluate", { expression, returnByValue: true })).result.value;
  for (const domain of ["Runtime", "Log", "Page", "DOM"]) await call(`${domain}.enable`);
  return {
    call,
    evaluate,
    errors,
    until: (expression, what) => attempt(what, () => evaluate(expression)),
    choose: async (selector, path) => {
      const { root } = await call("DOM.getDocument");
      const { nodeId } = await call("DOM.querySelector", { nodeId: root.nodeId, selector });
      await call("DOM.setFileInputFiles", { nodeId, files: [path] });
    },
    screenshot: async (name) => {
      if (options.screenshots) writeFileSync(join(options.screenshots, `${name}.png`), Buffer.from((await call("Page.captureScreenshot")).data, "base64"));
    },
    shown: async () => JSON.parse(await evaluate(`JSON.stringify({
      lines: [...document.querySelectorAll("#lines li span")].map((line) => line.textContent),
      tentative: document.getElementById("tentative").textContent,
      connection: document.getElementById("connection").textContent,
      message: document.getElementById("message").textContent,
    })`)),
  };
}

/** Tries for a minute: the machine may be busy. */
async function attempt(what, action) {
  for (let i = 0; i < 600; i++) {
    const result = await Promise.resolve().then(action).catch(() => undefined);
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  throw new Error(`waited in vain for ${what}`);
}
