import exam from "./samples/exam.mp3";
import lesson from "./samples/lesson.mp3";
import meeting from "./samples/meeting.mp3";
import station from "./samples/station.mp3";
import weather from "./samples/weather.mp3";

/** Clips that `./asr synthesize` made (eng/page-samples.sh), so that everything can be tried without a microphone. */
export const SAMPLES = [
  { name: "A meeting begins (9 s)", url: meeting },
  { name: "The weather (7 s)", url: weather },
  { name: "At the station (10 s)", url: station },
  { name: "An unknown word (24 s)", url: lesson },
  { name: "That word again (4 s)", url: exam },
];

/** What the clips with the unknown word say, and how many of the lesson's sentences are to be corrected: fewer tell the host's gate nothing. */
export const LESSON = {
  word: "velodrix",
  said: [
    "is there any velodrix left in the kitchen",
    "we need more velodrix for the garden",
    "my father keeps the velodrix in a small box",
    "the price of velodrix went up again",
    "please bring the velodrix to the office",
    "nobody remembers who found the velodrix",
  ],
  enough: 5,
  exam: "she talked about the velodrix and the kitchen",
  lessonClip: 3,
  examClip: 4,
};
