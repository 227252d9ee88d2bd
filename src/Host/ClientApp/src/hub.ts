import { type HubConnection, HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";
import { askForKey, explain, key } from "./api";
import { wait } from "./dom";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5000;

export interface HubListener {
  /** The connection is there, the first time or again. */
  opened(): void;
  /** The connection is lost, or was not there at all; it is tried again. */
  lost(reason: string): void;
}

export interface StreamListener<T> {
  next(item: T): void;
  complete(): void;
  /** The connection is gone, and the stream with it. */
  dropped(): void;
  /** The host ended it with an error. */
  failed(error: unknown): void;
}

/** A connection to the hub that is tried for ever, until it is closed. */
export class Hub {
  private readonly connection: HubConnection;
  private waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  private stopped = false;
  private dropped: () => void = () => {};

  /**
   * @param address Of the hub, relative to the document.
   * @param canAsk Whether a user is there who can give a key.
   */
  constructor(
    address: string,
    private readonly canAsk: boolean,
    private readonly listener: HubListener,
  ) {
    this.connection = new HubConnectionBuilder().withUrl(address, { accessTokenFactory: key }).configureLogging(LogLevel.None).build();
    this.connection.onclose(() => this.dropped());
    void this.run();
  }

  get isOpen(): boolean {
    return this.connection.state === HubConnectionState.Connected;
  }

  /** Calls the hub; waits for the connection, and calls again when it drops meanwhile: for calls that do the same twice as once. */
  async invoke<T>(method: string, ...parameters: unknown[]): Promise<T> {
    for (;;) {
      await this.open();
      try {
        return await this.connection.invoke<T>(method, ...parameters);
      } catch (error) {
        if (this.stopped || this.isOpen) throw error;
      }
    }
  }

  /** Follows a stream of the hub. A dropped connection is no failure: the listener's `opened` is called when it is back. */
  follow<T>(method: string, parameters: unknown[], listener: StreamListener<T>): void {
    this.connection.stream<T>(method, ...parameters).subscribe({
      next: listener.next,
      complete: listener.complete,
      error: (error: unknown) => {
        // The client ends its streams first and then says that it is disconnected.
        queueMicrotask(() => (this.isOpen ? listener.failed(error) : listener.dropped()));
      },
    });
  }

  /** Handles an event of the hub, on this connection and those that replace it. */
  on<T>(event: string, handle: (what: T) => void): void {
    this.connection.on(event, handle);
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.reject(new Error("the connection was closed"));
    await this.connection.stop();
  }

  /** Resolves when there is a connection. */
  private open(): Promise<void> {
    if (this.isOpen) return Promise.resolve();
    if (this.stopped) return Promise.reject(new Error("the connection was closed"));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopped; ) {
      const drop = new Promise<void>((resolve) => (this.dropped = resolve));
      const used = key();
      try {
        await this.connection.start();
        failures = 0;
      } catch (error) {
        if (this.stopped) return;
        if (this.canAsk && isUnauthorized(error)) {
          try {
            if (key() === used) await askForKey();
          } catch (refused) {
            this.stopped = true;
            this.reject(refused);
            this.listener.lost(explain(refused));
            return;
          }
        } else {
          this.listener.lost(explain(error));
          const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++);
          await Promise.race([wait(delay), new Promise((resolve) => window.addEventListener("online", resolve, { once: true }))]);
        }

        continue;
      }

      const waiting = this.waiting;
      this.waiting = [];
      this.listener.opened();
      waiting.forEach((one) => one.resolve());
      await drop;
      if (!this.stopped) this.listener.lost("the connection was lost");
    }
  }

  private reject(error: unknown): void {
    this.waiting.forEach((one) => one.reject(error));
    this.waiting = [];
  }
}

function isUnauthorized(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 401 || /\b401\b/.test(String(error));
}
