import meeting from "./samples/meeting.mp3";
import station from "./samples/station.mp3";
import weather from "./samples/weather.mp3";

/** Clips that `./asr synthesize` made, so that everything can be tried without a microphone. */
export const SAMPLES = [
  { name: "A meeting begins (9 s)", url: meeting },
  { name: "The weather (7 s)", url: weather },
  { name: "At the station (10 s)", url: station },
];
