import { Hub } from "./hub";
import type { AdapterPromoted, TrainingJob } from "./protocol";

/** What the host tells every page. */
export interface HostEvents {
  TrainingProgress(job: TrainingJob): void;
  AdapterPromoted(promoted: AdapterPromoted): void;
}

/** Listens to the host's events for as long as the page is open. The key is known by then, where one is wanted: nobody is asked. */
export function listen(hubAddress: string, listener: HostEvents & { opened(): void }): void {
  const hub = new Hub(hubAddress, false, { opened: () => listener.opened(), lost: () => {} });
  hub.on("TrainingProgress", (job: TrainingJob) => listener.TrainingProgress(job));
  hub.on("AdapterPromoted", (promoted: AdapterPromoted) => listener.AdapterPromoted(promoted));
}
