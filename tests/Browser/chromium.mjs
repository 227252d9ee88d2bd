// Headless Chromium over its debugging protocol: what the scenarios of page.mjs need of it.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// A WebSocket for Node.js 20: the one that the SignalR client brings.
const page = createRequire(new URL("../../src/Host/ClientApp/package.json", import.meta.url));
const WebSocket = createRequire(page.resolve("@microsoft/signalr"))("ws");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--window-size=1180,820",
  "--remote-debugging-port=0", "--use-fake-device-for-media-stream",
];

export class Chromium {
  /**
   * Starts it.
   * @param microphone Absolute path of a WAV that the fake microphone plays once; without one nobody grants a microphone.
   * @param screenshots A folder for them; none are taken without.
   */
  static async start({ microphone, screenshots }) {
    const profile = mkdtempSync(join(tmpdir(), "asr-page-"));
    const media = microphone ? ["--use-fake-ui-for-media-stream", `--use-file-for-fake-audio-capture=${microphone}%noloop`] : ["--deny-permission-prompts"];
    const chromium = spawn("/usr/bin/chromium", [...FLAGS, ...media, `--user-data-dir=${profile}`, "about:blank"], { stdio: "ignore" });
    const browser = new Chromium(chromium, profile, screenshots);
    try {
      browser.port = await attempt("Chromium's debugging port", () => readFileSync(join(profile, "DevToolsActivePort"), "utf8").split("\n")[0]);
      return browser;
    } catch (error) {
      await browser.stop();
      throw error;
    }
  }

  constructor(chromium, profile, screenshots) {
    this.chromium = chromium;
    this.profile = profile;
    this.screenshots = screenshots;
  }

  /** Opens a tab with the address. */
  async open(url) {
    const target = await attempt("a tab", async () => (await fetch(`http://127.0.0.1:${this.port}/json/new?about:blank`, { method: "PUT" })).json());
    const tab = await Tab.connect(target.webSocketDebuggerUrl, this.screenshots);
    await tab.go(url);
    return tab;
  }

  async stop() {
    const gone = new Promise((resolve) => this.chromium.once("exit", resolve));
    this.chromium.kill();
    await gone;

    // Its helpers may still be writing.
    await attempt("the profile's end", () => {
      rmSync(this.profile, { recursive: true, force: true });
      return true;
    });
  }
}

export class Tab {
  static async connect(url, screenshots) {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const tab = new Tab(socket, screenshots);
    for (const domain of ["Runtime", "Log", "Page", "DOM", "Network"]) await tab.call(`${domain}.enable`);
    return tab;
  }

  constructor(socket, screenshots) {
    this.socket = socket;
    this.screenshots = screenshots;
    this.errors = [];
    this.waiting = new Map();
    this.calls = 0;
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.id) this.waiting.get(message.id)(message);
      else if (message.method === "Runtime.exceptionThrown") this.errors.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
      else if (message.method === "Log.entryAdded" && message.params.entry.level === "error") this.errors.push(`${message.params.entry.text} ${message.params.entry.url ?? ""}`);
    });
  }

  call(method, params = {}) {
    return new Promise((resolve, reject) => {
      const id = ++this.calls;
      this.waiting.set(id, (message) => {
        this.waiting.delete(id);
        if (message.error) reject(new Error(`${method}: ${message.error.message}`));
        else resolve(message.result);
      });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true, userGesture: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true, and gives its value. */
  until(expression, what) {
    return attempt(what, () => this.evaluate(expression));
  }

  async go(url) {
    await this.call("Page.navigate", { url });
    await this.until(`document.readyState === "complete" && location.href !== "about:blank"`, url);
  }

  /** Clicks in this tab, which comes to the front, as it does for people: one in the background draws nothing and closes no dialog. */
  async click(selector) {
    await this.call("Page.bringToFront");
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  /** Types into what has the focus. */
  type(text) {
    return this.call("Input.insertText", { text });
  }

  async press(key) {
    const code = { Enter: 13, Escape: 27, Tab: 9, F2: 113, F9: 120 }[key];
    const common = { key, code: key, windowsVirtualKeyCode: code };
    await this.call("Input.dispatchKeyEvent", { type: "keyDown", ...common, ...(key === "Enter" ? { text: "\r" } : {}) });
    await this.call("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  async choose(selector, path) {
    const { root } = await this.call("DOM.getDocument");
    const { nodeId } = await this.call("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.call("DOM.setFileInputFiles", { nodeId, files: [path] });
  }

  async screenshot(name) {
    if (!this.screenshots) return;

    // A tab in the background draws nothing.
    await this.call("Page.bringToFront");
    writeFileSync(join(this.screenshots, `${name}.png`), Buffer.from((await this.call("Page.captureScreenshot")).data, "base64"));
  }

  /** A window of this size; a phone's with touch. */
  size(width, height, mobile = false) {
    return this.call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: mobile ? 2 : 1, mobile });
  }
}

/** Tries for some minutes: the machine may be busy. */
export async function attempt(what, action) {
  let last;
  if (process.env.TRACE) console.error(new Date().toISOString(), what);
  for (let i = 0; i < 2400; i++) {
    const result = await Promise.resolve()
      .then(action)
      .catch((error) => void (last = error));
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  throw new Error(`waited in vain for ${what}${last ? `: ${last.message}` : ""}`);
}
