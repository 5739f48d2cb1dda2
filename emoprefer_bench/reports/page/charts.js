// Pictures. Those in rows are as wide as their cell and placed in percent, so they fit any width without being drawn again.

/** A scale over fractions, rounded out to tens of percent. */
function scaleOver(values) {
  const low = Math.max(0, Math.floor(Math.min(...values) * 10 - 0.2) / 10);
  const high = Math.min(1, Math.max(low + 0.2, Math.ceil(Math.max(...values) * 10 + 0.2) / 10));
  const step = high - low > 0.5 ? 0.2 : 0.1;
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + 1e-9; tick += step) ticks.push(tick);
  return { ticks, at: (value) => `${(100 * (value - low)) / (high - low)}%` };
}

function ruler(scale) {
  return svg(
    "svg",
    { class: "ruler", "aria-hidden": "true" },
    scale.ticks.map((tick) => svg("text", { x: scale.at(tick), y: 14, "text-anchor": "middle" }, percent(tick, 0))),
  );
}

/** A dot with its interval as whiskers, on grid lines; a control is a hollow diamond. `mark` is a value to compare with. */
function whisker(scale, score, control, mark) {
  const line = (at, kind) => svg("line", { class: kind, x1: scale.at(at), x2: scale.at(at), y1: 0, y2: "100%" });
  const x = scale.at(score.mean);
  const dot = control
    ? svg("svg", { x, y: "50%", overflow: "visible" }, svg("path", { class: "dot control", d: DIAMOND }))
    : svg("circle", { class: "dot", cx: x, cy: "50%", r: 5.5 });
  const span =
    score.interval &&
    svg("line", {
      class: control ? "span control" : "span",
      x1: scale.at(score.interval[0]),
      x2: scale.at(score.interval[1]),
      y1: "50%",
      y2: "50%",
    });
  return svg(
    "svg",
    { class: "track", "aria-hidden": "true" },
    scale.ticks.map((tick) => line(tick, "grid")),
    mark === null ? null : line(mark, "mark"),
    span,
    dot,
  );
}

/** Two shares with their intervals on one scale, the first hollow, and the way from one to the other. */
function gap(scale, first, second) {
  const track = (part, control) => whisker(scale, { mean: part.acc2, interval: part.interval }, control, null);
  const inner = [track(first, true), track(second, false)].flatMap((made) =>
    [...made.childNodes].filter((node) => node.getAttribute("class") !== "grid"),
  );
  const [from, to] = [first, second].map((part) => scale.at(part.acc2));
  return svg(
    "svg",
    { class: "track", "aria-hidden": "true" },
    scale.ticks.map((tick) => svg("line", { class: "grid", x1: scale.at(tick), x2: scale.at(tick), y1: 0, y2: "100%" })),
    svg("line", { class: "way", x1: from, x2: to, y1: "50%", y2: "50%" }),
    inner,
  );
}

/** One bar of parts [class, amount], as long as their sum is of `whole`. */
function bar(parts, whole) {
  let start = 0;
  const made = parts.map(([kind, amount]) => {
    const x = `${(100 * start) / whole}%`;
    start += amount;
    return svg("rect", { class: kind, x, y: 0, width: `${(100 * amount) / whole}%`, height: "100%" });
  });
  return svg("svg", { class: "bar", "aria-hidden": "true" }, made);
}

/** What parts [class, words, shape] of a picture mean; without a shape they are bars. */
function legend(parts) {
  const key = (kind, d) =>
    svg(
      "svg",
      { class: "key", viewBox: "-7 -7 14 14", "aria-hidden": "true" },
      svg("path", { class: kind, d: d ?? "M-7-7H7V7H-7Z" }),
    );
  return el(
    "ul",
    { class: "legend" },
    parts.map(([kind, words, shape]) => el("li", {}, key(kind, shape), words)),
  );
}

/** Points {x, y, name, words, control, series} on two scales of fractions; each with its name. Drawn again as its width changes. */
function scatter(items, across, up, words) {
  const figure = el("div", { class: "scatter", role: "img", "aria-label": words });
  new ResizeObserver(([entry]) => {
    figure.replaceChildren(scatterOf(items, across, up, Math.floor(entry.contentRect.width)));
  }).observe(figure);
  return figure;
}

function scatterOf(items, across, up, width) {
  const [left, bottom] = [44, 44];
  const height = 360 + Math.max(0, items.length - 8) * Math.round(12_000 / Math.max(width, 280));
  const [wide, high] = [width - left - 14, height - bottom - 12];
  const horizontal = scaleOver(items.map((item) => item.x));
  const vertical = scaleOver(items.map((item) => item.y));
  const x = (value) => left + (parseFloat(horizontal.at(value)) / 100) * wide;
  const y = (value) => 12 + high - (parseFloat(vertical.at(value)) / 100) * high;
  const placed = items.map((item) => ({ ...item, px: x(item.x), py: y(item.y) }));
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    horizontal.ticks.map((tick) => [
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: 12, y2: 12 + high }),
      svg("text", { x: x(tick), y: 12 + high + 18, "text-anchor": "middle" }, percent(tick, 0)),
    ]),
    vertical.ticks.map((tick) => [
      svg("line", { class: "grid", x1: left, x2: left + wide, y1: y(tick), y2: y(tick) }),
      svg("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, percent(tick, 0)),
    ]),
    svg("text", { class: "axis", x: left + wide, y: height - 6, "text-anchor": "end" }, `${across} \u2192`),
    svg("text", { class: "axis", x: left + 6, y: 24 }, `\u2191 ${up}`),
    placed.map((item) =>
      svg(
        "g",
        {},
        svg("title", {}, item.words),
        svg("path", {
          class: `dot ${item.control ? "control" : `series-${item.series}`}`,
          d: item.control ? DIAMOND : shapeOf(item.series),
          transform: `translate(${item.px} ${item.py})`,
        }),
      ),
    ),
    pointNames(placed, up, width, height - bottom),
  );
}

const DIAMOND = "M0-6 6 0 0 6-6 0Z";
const SHAPES = [
  "M-5.5 0A5.5 5.5 0 1 1 5.5 0 5.5 5.5 0 1 1-5.5 0Z",
  "M-5-5H5V5H-5Z",
  "M0-6.5 6 5H-6Z",
  "M0 6.5 6-5H-6Z",
];
const shapeOf = (series) => SHAPES[series % SHAPES.length];

/** Places for a name of this length around a point: beside it, then on wider and wider rings. */
function* placesAround({ px, py }, long) {
  for (const [dx, dy] of [
    [10, 0],
    [-10 - long, 0],
    [-long / 2, -15],
    [-long / 2, 15],
  ])
    yield [px + dx, py + dy];
  for (let ring = 14; ring < 600; ring += 12)
    for (let turn = 0; turn < 16; turn += 1) {
      const [across, up] = [Math.cos((turn * Math.PI) / 8), Math.sin((turn * Math.PI) / 8)];
      yield [px + ring * across - (long * (1 - across)) / 2, py + ring * up];
    }
}

/** As much of a name as fits the room, in pixels. */
function fitting(name, room, measured) {
  const letters = [...name];
  if (measured(name) <= room) return name;
  while (letters.length > 1 && measured(`${letters.join("")}\u2026`) > room) letters.pop();
  return `${letters.join("")}\u2026`;
}

/** A name for every point, at the first place where nothing else is (`up` is the axis's), with a line where it stands further off. */
function pointNames(items, up, width, height) {
  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = "12px system-ui";
  const measured = (name) => ruler.measureText(name).width + 4;
  const axis = [44, 0, 60 + measured(up), 30];
  const taken = [axis, ...items.map((item) => [item.px - 7, item.py - 7, item.px + 7, item.py + 7])];
  const inside = ([l, t, r, b]) => l > 44 && r < width && t > 2 && b < height;
  const free = ([l, t, r, b]) => !taken.some((o) => l < o[2] && r > o[0] && t < o[3] && b > o[1]);
  return items.map((item) => {
    const name = fitting(item.name, (width - 44) / 2, measured);
    const long = measured(name);
    const boxes = [...placesAround(item, long)].map(([x, y]) => [x, y - 7, x + long, y + 7]).filter(inside);
    const box = boxes.find(free) ?? boxes[0];
    if (!box) return null;
    taken.push(box);
    const [x, y] = [Math.min(Math.max(item.px, box[0]), box[2]), Math.min(Math.max(item.py, box[1]), box[3])];
    const far = Math.hypot(x - item.px, y - item.py) > 12;
    return [
      far && svg("line", { class: "way", x1: item.px, y1: item.py, x2: x, y2: y }),
      svg("text", { class: "point", x: box[0] + 2, y: box[1] + 11 }, name),
    ];
  });
}
