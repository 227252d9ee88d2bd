// The hub's contract, /hubs/captions; docs/live-protocol.md explains it.

/** A word of a caption: seconds since the session's start, confidence 0 to 1. */
export interface Word {
  text: string;
  start: number;
  end: number;
  confidence: number;
}

/** The newest state of a segment; it replaces every earlier update of that segment. */
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
  prompt?: string;
  hotwords?: string[];
  memory?: boolean;
}

export interface SessionPosition {
  sessionId: string;
  acknowledgedSamples: number;
  lastSequence: number;
}

/** Audio that is the host's; its captions are later than they should be by the lag, 0 while the host keeps up. */
export interface Acknowledgement {
  acknowledgedSamples: number;
  lagSeconds: number;
}

export interface Correction {
  id: string;
  sessionId: string;
  segmentId: number;
  sequence: number;
  text: string;
  author?: string;
}
