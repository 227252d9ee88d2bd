import { explain } from "./api";
import { Hub } from "./hub";
import type { CaptionUpdate, Correction, SessionPosition, StartSessionRequest } from "./protocol";
import { AudioSender } from "./sender";
import { SAMPLE_RATE_HZ, type Source } from "./sources";

export type LinkState = "connecting" | "live" | "lost" | "finishing" | "ended" | "failed";

export interface SessionListener {
  /** How the session stands; `reason` where something is wrong. */
  state(state: LinkState, reason?: string): void;
  update(update: CaptionUpdate): void;
  /** Audio that the host has, and how late its captions are. */
  acknowledged?(samples: number, lagSeconds: number): void;
  /** Audio that was just handed over: the session's samples up to its end. */
  pushed?(pcm: Int16Array, position: number): void;
  /** Everything that was shown is void: the session is told anew from its start. */
  restarted?(): void;
}

/** One session as this page knows it: watched, and perhaps spoken in. Both go on after a dropped connection. */
export class LiveSession {
  private readonly hub: Hub;
  private sender: AudioSender | null = null;
  private lastSequence = 0;
  private isFollowing = false;
  private isOver = false;
  private source: Source | null = null;
  private settle: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} };

  /** Resolves when the session has ended and every caption was shown; rejected where an error ended it, or the watching. */
  readonly finished: Promise<void>;

  /**
   * @param hubAddress Of the hub, relative to the document.
   * @param id An existing session's; empty for one that is still to be started.
   * @param canAsk Whether a user is there who can give a key.
   */
  constructor(
    hubAddress: string,
    private id: string,
    canAsk: boolean,
    private readonly listener: SessionListener,
  ) {
    this.finished = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.finished.catch(() => {});
    listener.state("connecting");
    this.hub = new Hub(hubAddress, canAsk, {
      opened: () => void this.resume().catch((error: unknown) => this.fail(error)),
      lost: (reason) => {
        if (!this.isOver) this.listener.state("lost", reason);
      },
    });
  }

  get sessionId(): string {
    return this.id;
  }

  /**
   * Speaks: starts the session, or goes on with it, sends what the source gives until it ends or is stopped, and ends the session.
   * @param source Opened; stopped in the end.
   * @param onStarted Told the session's id before the first audio.
   */
  async speak(source: Source, request: StartSessionRequest, onStarted: (id: string) => void): Promise<void> {
    this.source = source;
    try {
      const id = this.id || request.sessionId || newId();
      const position = await this.hub.invoke<SessionPosition>("StartSession", { ...request, sessionId: id, sampleRateHz: SAMPLE_RATE_HZ });
      this.id = position.sessionId;
      onStarted(this.id);
      const sender = new AudioSender(this.hub, this.id, position.acknowledgedSamples, (samples, lag) => this.listener.acknowledged?.(samples, lag), (error) => this.fail(new Error(error)));
      this.sender = sender;
      sender.open(position.acknowledgedSamples);
      this.follow();
      this.listener.state("live");
      await source.start((pcm) => {
        sender.push(pcm);
        this.listener.pushed?.(pcm, sender.position);
      });
      await Promise.race([source.ended, this.finished]);
      if (!this.isOver) {
        this.listener.state("finishing");
        await Promise.race([sender.drained(), this.finished]);
        await this.end();
      }

      await this.finished;
    } catch (error) {
      this.fail(error);
      throw error;
    } finally {
      source.stop();
    }
  }

  /** Shows a person's text to everybody; gives the update that does. */
  async correct(correction: Omit<Correction, "id" | "sessionId">): Promise<CaptionUpdate> {
    return this.hub.invoke<CaptionUpdate>("SubmitCorrection", { id: newId(), sessionId: this.id, ...correction });
  }

  /** Ends a session that nothing is spoken in any more. */
  async end(): Promise<void> {
    await this.hub.invoke<SessionPosition>("EndSession", this.id);
  }

  /** Stops watching; a session that is spoken in is left open. */
  async close(): Promise<void> {
    this.isOver = true;
    this.source?.stop();
    await this.hub.close();
  }

  private async resume(): Promise<void> {
    if (!this.id || this.isOver) return;
    if (this.sender) {
      const position = await this.hub.invoke<SessionPosition>("StartSession", { sessionId: this.id, sampleRateHz: SAMPLE_RATE_HZ });
      this.sender.open(position.acknowledgedSamples);
    }

    this.isFollowing = false;
    this.follow();
    if (!this.isOver) this.listener.state("live");
  }

  private follow(): void {
    if (this.isFollowing || this.isOver) return;
    this.isFollowing = true;
    const after = this.lastSequence;
    this.hub.follow<CaptionUpdate>("WatchCaptions", [this.id, after], {
      next: (update) => {
        this.lastSequence = Math.max(this.lastSequence, update.sequence);
        this.listener.update(update);
      },
      complete: () => {
        if (this.isOver) return;
        this.isOver = true;
        this.listener.state("ended");
        this.settle.resolve();
      },
      dropped: () => (this.isFollowing = false),
      failed: (error) => {
        this.isFollowing = false;
        if (this.lastSequence === 0 || this.lastSequence !== after) {
          this.fail(error);
          return;
        }

        // A host that was restarted may count from anew.
        this.lastSequence = 0;
        this.listener.restarted?.();
        this.follow();
      },
    });
  }

  private fail(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.listener.state("failed", explain(error));
    this.settle.reject(error);
    this.source?.stop();
  }
}

/** 128 random bits: whoever knows a session's id may watch it. (`randomUUID` is there on secure pages alone.) */
function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
