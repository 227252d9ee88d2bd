import { Subject } from "@microsoft/signalr";
import { explain } from "./api";
import type { Hub } from "./hub";
import type { Acknowledgement } from "./protocol";

/** Unacknowledged audio kept for a connection that comes back: five minutes at 16 kHz. */
const KEPT_SAMPLES = 5 * 60 * 16000;

interface Chunk {
  start: number;
  pcm: Int16Array;
}

/**
 * Sends audio by offset. What the host has not acknowledged is kept, and sent again after a dropped connection, from the sample
 * that the host asks for.
 */
export class AudioSender {
  private readonly chunks: Chunk[] = [];
  private subject: Subject<string> | null = null;
  private produced: number;
  private acknowledged: number;
  private idle: (() => void) | null = null;

  /** @param start The session's acknowledged samples: where this sender's audio begins. */
  constructor(
    private readonly hub: Hub,
    private readonly sessionId: string,
    start: number,
    private readonly onAcknowledged: (samples: number, lagSeconds: number) => void,
    private readonly onError: (message: string) => void,
  ) {
    this.produced = this.acknowledged = start;
  }

  /** Samples of the session given so far. */
  get position(): number {
    return this.produced;
  }

  /** Takes the next samples of the session; at most 8,192. */
  push(pcm: Int16Array): void {
    this.chunks.push({ start: this.produced, pcm });
    this.produced += pcm.length;
    if (this.produced - this.acknowledged > KEPT_SAMPLES) {
      this.onError("the connection was away for too long: audio would be lost");
      return;
    }

    // What the client is given while the connection is away it fails to send, and says so to nobody.
    if (this.hub.isOpen) this.subject?.next(toBase64(pcm));
  }

  /** Starts sending, or goes on after a reconnection, at the sample that the host expects. */
  open(acknowledged: number): void {
    if (acknowledged < this.acknowledged) {
      this.onError(`the host has lost audio that it had acknowledged (it is at sample ${acknowledged} of ${this.acknowledged})`);
      return;
    }

    this.settle(acknowledged);
    const subject = new Subject<string>();
    this.subject = subject;
    this.hub.follow<Acknowledgement>("StreamAudio", [this.sessionId, this.acknowledged, subject], {
      next: (item) => this.settle(item.acknowledgedSamples, item.lagSeconds),
      complete: () => this.close(subject),
      dropped: () => this.close(subject),
      failed: (error) => {
        this.close(subject);
        this.onError(explain(error));
      },
    });
    for (const { start, pcm } of this.chunks) {
      const skipped = Math.max(0, this.acknowledged - start);
      subject.next(toBase64(pcm.subarray(skipped)));
    }
  }

  /** Resolves when the host has everything: only then may the session be ended. */
  async drained(): Promise<void> {
    if (this.acknowledged < this.produced) await new Promise<void>((resolve) => (this.idle = resolve));
    this.subject?.complete();
    this.subject = null;
  }

  private close(subject: Subject<string>): void {
    if (this.subject === subject) this.subject = null;
  }

  private settle(acknowledged: number, lagSeconds = 0): void {
    this.acknowledged = Math.max(this.acknowledged, acknowledged);
    while (this.chunks[0] && this.chunks[0].start + this.chunks[0].pcm.length <= this.acknowledged) this.chunks.shift();
    this.onAcknowledged(this.acknowledged, lagSeconds);
    if (this.acknowledged >= this.produced) this.idle?.();
  }
}

/** SignalR's JSON turns a typed array into an object of numbers: samples travel as base64 of little-endian PCM16. */
function toBase64(pcm: Int16Array): string {
  const view = new DataView(new ArrayBuffer(2 * pcm.length));
  pcm.forEach((sample, index) => view.setInt16(2 * index, sample, true));
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)));
}
