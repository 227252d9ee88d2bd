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
  tenant?: string;
  speaker?: string;
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
  speaker?: string;
  domain?: string;
}

// The learning loop's contract; docs/learning.md explains it.

/** A stretch of words that are the same in both texts, or not. */
export interface DiffPart {
  op: "equal" | "replace" | "insert" | "delete";
  hypothesis: string;
  text: string;
}

export interface StoredCorrection {
  number: number;
  id: string;
  sessionId: string | null;
  segmentId: number | null;
  hypothesis: string;
  text: string;
  author: string | null;
  speaker: string | null;
  domain: string | null;
  language: string | null;
  adapterVersion: string;
  /** `superseded`: a newer correction of the same utterance counts. */
  state: "stored" | "ready" | "held" | "refused" | "superseded";
  reason: string | null;
  diff: DiffPart[] | null;
  split: "train" | "held-out" | null;
  createdAt: string;
  inTraining: boolean;
  learnedBy: string | null;
  clip: string | null;
}

export interface Adapter {
  id: string;
  parent: string | null;
  base: string;
  state: "candidate" | "provisional" | "promoted" | "rejected" | "rolled-back";
  reason: string | null;
  tainted: string | null;
  createdAt: string;
  decidedAt: string | null;
  corrections: number;
  dataset: string | null;
  /** Error rates are fractions. */
  /** `all`, `tenant:NAME`, `speaker:NAME`. */
  activeFor: string[];
  metrics: Partial<Record<"heldOutWerBefore" | "heldOutWerAfter" | "anchorWerBefore" | "anchorWerAfter", number | null>> | null;
}

export interface TrainingJob {
  id: string;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  trigger: string;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  outcome: { decision: "promoted" | "provisional" | "rejected"; adapter: string | null; reason: string | null; seconds: number | null } | null;
  error: string | null;
  progress: { phase: "data" | "training" | "evaluating" | "paused"; step: number; maxSteps: number; loss: number | null } | null;
}

export interface TrainingState {
  /** The newest first. */
  items: TrainingJob[];
  canLearn: boolean;
  /** Why it cannot. */
  why: string | null;
  /** Corrections that wait to be learned. */
  ready: number;
}

/** A caption that is worth correcting, with its words' confidences as they are judged now. */
export interface CorrectionSuggestion {
  sessionId: string;
  segmentId: number;
  sequence: number;
  words: Word[];
}

/** Event: another adapter makes everybody's captions; null is the base model. */
export interface AdapterPromoted {
  adapter: string | null;
  previous: string | null;
  scope: string;
  reason: string;
  provisional: boolean;
}
