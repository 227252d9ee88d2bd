// The hub's contract; docs/live-protocol.md describes it.

export interface Word {
  text: string;
  start: number;
  end: number;
  confidence: number;
}

export interface CaptionUpdate {
  sessionId: string;
  segmentId: number;
  sequence: number;
  revision: number;
  state: "tentative" | "committed" | "corrected";
  text: string;
  words: Word[];
  language: string | null;
  adapterVersion: string;
  startSample: number;
  endSample: number;
}

export interface StartSessionRequest {
  sessionId?: string;
  sampleRateHz?: number;
  language?: string;
  task?: "transcribe" | "translate";
  adapter?: string;
}

export interface SessionPosition {
  sessionId: string;
  acknowledgedSamples: number;
  lastSequence: number;
}

export interface Acknowledgement {
  acknowledgedSamples: number;
}

/** What /health/ready says; `detail` where the host is not ready. */
export interface Readiness {
  status: string | number;
  model?: string;
  backend?: string;
  languages?: string[];
  detail?: string;
}

export interface PluginStatus {
  id: string;
  state: string;
  reason: string | null;
  remedy: string | null;
}

/** SignalR puts a sentence of its own before the host's message. */
export function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const marker = "HubException: ";
  const at = text.indexOf(marker);
  return at < 0 ? text : text.slice(at + marker.length);
}
