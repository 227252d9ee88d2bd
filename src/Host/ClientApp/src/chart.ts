const SVG = "http://www.w3.org/2000/svg";
const LEFT = 44;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 26;
const LINES = 4;

/** A line of a chart. */
export interface Series {
  name: string;
  /** CSS class, which gives the colour, and the shape of its markers. */
  kind: "first" | "second";
  /** By place on the x axis; null where nothing is known. */
  values: (number | null)[];
}

export interface ChartOptions {
  series: Series[];
  /** Names of the places on the x axis; as many as values. None: the axis says nothing. */
  labels: string[];
  /** What a value is shown as. */
  format(value: number): string;
  /** In CSS pixels. */
  width: number;
  height: number;
  /** For those who do not see it. */
  description: string;
}

/** Draws lines over places of equal distance. Colours come from the style sheet; the numbers stand in a table beside it. */
export function drawChart({ series, labels, format, width, height, description }: ChartOptions): SVGSVGElement {
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": description, class: "chart" });
  const known = series.flatMap((one) => one.values).filter((value) => value !== null);
  const top = niceTop(Math.max(...known, 0));
  const count = Math.max(1, ...series.map((one) => one.values.length));
  const x = (index: number): number => LEFT + (count === 1 ? 0.5 : index / (count - 1)) * (width - LEFT - RIGHT);
  const y = (value: number): number => TOP + (1 - value / top) * (height - TOP - BOTTOM);
  for (let line = 0; line <= LINES; line++) {
    const value = (top * line) / LINES;
    svg.append(shape("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "grid" }), text(format(value), { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }));
  }

  // As many names as there is room for, the newest always.
  const step = Math.max(1, Math.ceil((count * 64) / (width - LEFT)));
  labels.forEach((label, index) => {
    if ((count - 1 - index) % step === 0) svg.append(text(label.length > 9 ? `…${label.slice(-8)}` : label, { x: x(index), y: height - 7, "text-anchor": count > 1 && index === count - 1 ? "end" : index === 0 && count > 1 ? "start" : "middle" }));
  });

  for (const { name, kind, values } of series) {
    const points = values.flatMap((value, index) => (value === null ? [] : [{ at: x(index), height: y(value), value, index }]));
    const path = points.map(({ at, height: up }, index) => `${index === 0 ? "M" : "L"}${at.toFixed(1)} ${up.toFixed(1)}`).join("");
    if (path) svg.append(shape("path", { d: path, class: `line ${kind}` }));
    if (labels.length === 0) continue;
    for (const { at, height: up, value, index } of points) {
      const marker = kind === "first" ? shape("circle", { cx: at, cy: up, r: 4.5, class: `marker ${kind}` }) : shape("rect", { x: at - 4, y: up - 4, width: 8, height: 8, class: `marker ${kind}` });
      const title = shape("title", {});
      title.textContent = `${labels[index]}, ${name}: ${format(value)}`;
      marker.append(title);
      svg.append(marker);
    }
  }

  return svg;
}

/** The least round number that is not below. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return magnitude * ([1, 2, 4, 5, 8, 10].find((factor) => factor * magnitude >= value) ?? 10);
}

function text(content: string, attributes: Record<string, string | number>): SVGElement {
  const made = shape("text", attributes);
  made.textContent = content;
  return made;
}

function shape<K extends keyof SVGElementTagNameMap>(name: K, attributes: Record<string, string | number>): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  return made;
}
