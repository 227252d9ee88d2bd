import { ApiError } from "./api";

/** Asks for what a view shows again and again while it is seen, one request at a time. */
export class Poller {
  private timer = 0;
  private isSeen = false;
  private isAsking = false;
  private isStale = false;

  /**
   * @param refresh Asks and shows.
   * @param periodMs Gives the time until the next request.
   */
  constructor(
    private readonly refresh: () => Promise<void>,
    private readonly periodMs: () => number,
    private readonly onError: (error: unknown) => void,
  ) {}

  show(): void {
    this.isSeen = true;
    this.now();
  }

  hide(): void {
    this.isSeen = false;
    window.clearTimeout(this.timer);
  }

  /** Asks at once; after the request that is under way, where there is one. */
  now(): void {
    window.clearTimeout(this.timer);
    if (!this.isSeen) return;
    if (this.isAsking) {
      this.isStale = true;
      return;
    }

    this.isAsking = true;
    this.refresh()
      .catch((error: unknown) => {
        // Who gives no key, or may not see this, is not asked again and again.
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) this.isSeen = false;
        this.onError(error);
      })
      .finally(() => {
        this.isAsking = false;
        if (!this.isSeen) return;
        if (this.isStale) this.now();
        else this.timer = window.setTimeout(() => this.now(), this.periodMs());
        this.isStale = false;
      });
  }
}
