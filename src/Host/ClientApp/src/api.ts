// The HTTP endpoints beside the hub. A key, where the host wants one, is asked for once and lives as long as the tab.
import { element } from "./dom";

/** What /health/ready says; `detail` where the host is not ready. */
export interface Readiness {
  status: string | number;
  model?: string;
  backend?: string;
  adapter?: string;
  languages?: string[];
  sampleRateHz?: number;
  /** What the caller may do. */
  role?: Role;
  detail?: string;
}

const ROLES = ["viewer", "speaker", "corrector", "admin"] as const;
export type Role = (typeof ROLES)[number];

let role: Role = "admin";

/** Takes note of what /health/ready says of the caller. */
export function noteRole(given: Role | undefined): void {
  role = given ?? role;
}

/** Whether the caller has at least this role; the host decides all the same. */
export function may(needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

export interface PluginStatus {
  id: string;
  version: string | null;
  description: string | null;
  state: string;
  reason: string | null;
  remedy: string | null;
  kinds: string[];
}

export interface SessionDescription {
  sessionId: string;
  state: string;
  error?: string | null;
  sampleRateHz: number;
  language?: string | null;
  startedAt: string;
  acknowledgedSamples: number;
  segments: number;
  viewers: number;
}

export const EXPORT_FORMATS = ["vtt", "srt", "txt", "json"] as const;

const KEY = "asr.key";

/** An answer that is an error; the message is the host's own sentence. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The key of this tab; empty where none was asked for. */
export function key(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Takes a key out of the address (`#key=…`, which no server sees), where a link brings one. */
export function takeKeyFromAddress(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  sessionStorage.setItem(KEY, given);
  history.replaceState(history.state, "", location.pathname + location.search);
}

let asking: Promise<void> | null = null;

/** Asks for a key in a dialog; one at a time, whoever needs it. Rejected when the user does not want to give one. */
export function askForKey(): Promise<void> {
  asking ??= new Promise<void>((resolve, reject) => {
    const dialog = element<HTMLDialogElement>("key-dialog");
    const input = element<HTMLInputElement>("key");
    element("key-wrong").hidden = key() === "";
    input.value = "";
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue === "use" && input.value.trim()) {
          sessionStorage.setItem(KEY, input.value.trim());
          resolve();
        } else {
          reject(new ApiError(401, "this host wants an API key"));
        }
      },
      { once: true },
    );
    dialog.showModal();
  }).finally(() => (asking = null));
  return asking;
}

export interface Call {
  /** Default: GET. */
  method?: string;
  headers?: Record<string, string>;
  /** A form, or what is sent as JSON. */
  body?: FormData | object;
}

/** Calls the host, with the key where there is one. */
export async function call(path: string, { method = "GET", headers = {}, body }: Call = {}): Promise<Response> {
  const isForm = body instanceof FormData;
  const sent = { ...headers, ...(body && !isForm ? { "Content-Type": "application/json" } : {}) };
  for (;;) {
    const used = key();
    const answer = await fetch(path, {
      method,
      headers: { ...sent, ...(used ? { Authorization: `Bearer ${used}` } : {}) },
      ...(body ? { body: isForm ? body : JSON.stringify(body) } : {}),
    });
    if (answer.status !== 401) return answer;
    if (key() === used) await askForKey();
  }
}

/** Calls the host and expects success. */
export async function succeed(path: string, options: Call = {}): Promise<Response> {
  const answer = await call(path, options);
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string; title?: string; error?: { message?: string } };
  throw new ApiError(answer.status, problem.detail ?? problem.error?.message ?? problem.title ?? `the host answered ${answer.status} to ${path}`);
}

export async function getJson<T>(path: string): Promise<T> {
  return (await (await succeed(path)).json()) as T;
}

export function sessionPath(id: string): string {
  return `api/sessions/${encodeURIComponent(id)}`;
}

/** Saves a session's captions as a file. Not a plain link: that could not carry the key. */
export async function saveCaptions(id: string, format: string): Promise<void> {
  const blob = await (await succeed(`${sessionPath(id)}/captions.${format}`)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `captions-${id.slice(0, 8)}.${format}`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The sentence of an error that a user can act on; SignalR puts one of its own before the host's. */
export function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const marker = "HubException: ";
  const at = text.indexOf(marker);
  const sentence = at < 0 ? text : text.slice(at + marker.length);
  return /Failed to fetch|NetworkError|Load failed/.test(sentence) ? "the host cannot be reached" : sentence;
}
