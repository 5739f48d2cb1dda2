// How far margins can be believed: confidence beside accuracy, and accuracy where the least sure rows are left out.

const judgedOf = (one) => one.weighing?.calibration ?? one.fusion?.judged ?? null;
const PLOT = { size: 230, left: 40, bottom: 34, top: 8, right: 12 };

function weighingSection(report) {
  const cases = report.cases.filter((one) => one.weighing || one.fusion);
  if (!cases.length) return null;
  const drawn = cases.filter((one) => judgedOf(one)?.bins);
  return section(
    "confidence",
    "Confidence",
    "Margins of judges that weigh, made probabilities by a temperature that was fitted on other clips. It never changes a verdict. " +
      "With fewer than 50 labelled pairs there is a Brier score and nothing else.",
    drawn.map((one) =>
      el(
        "article",
        {},
        el("h3", {}, judge(one), el("small", {}, said(one.dataset))),
        one.weighing?.calibration?.evident === false &&
          el("p", { class: "lead" }, "No evidence: these labels can\u2019t tell its margins from noise."),
        el("div", { class: "grid two" }, reliability(judgedOf(one)), coverage(judgedOf(one))),
      ),
    ),
    weighingTable(cases),
  );
}

/** Both pictures are squares of fractions: `across` and `up` are scales of [from, to]; points are {x, y, interval}. */
function square(across, up, words, points, { diagonal = false, joined = false }) {
  const { size, left, bottom, top, right } = PLOT;
  const x = (value) => left + ((value - across[0]) / (across[1] - across[0])) * (size - left - right);
  const y = (value) => size - bottom - ((value - up[0]) / (up[1] - up[0])) * (size - bottom - top);
  const ticks = ([from, to]) => [from, (from + to) / 2, to];
  const line = (kind, x1, y1, x2, y2) => svg("line", { class: kind, x1, y1, x2, y2 });
  return svg(
    "svg",
    { class: "square", width: size, height: size, viewBox: `0 0 ${size} ${size}`, "aria-hidden": "true" },
    ticks(across).map((tick) => [
      line("grid", x(tick), y(up[0]), x(tick), y(up[1])),
      svg("text", { x: x(tick), y: size - bottom + 15, "text-anchor": "middle" }, percent(tick, 0)),
    ]),
    ticks(up).map((tick) => [
      line("grid", x(across[0]), y(tick), x(across[1]), y(tick)),
      svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, percent(tick, 0)),
    ]),
    svg("text", { class: "axis", x: size - right, y: size - 3, "text-anchor": "end" }, `${words} \u2192`),
    diagonal && line("mark", x(across[0]), y(across[0]), x(across[1]), y(across[1])),
    joined && svg("polyline", { class: "joined", points: points.map((one) => `${x(one.x)},${y(one.y)}`).join(" ") }),
    points.map((one) => [
      one.interval && line("span", x(one.x), y(one.interval[0]), x(one.x), y(one.interval[1])),
      svg("circle", { class: "dot", cx: x(one.x), cy: y(one.y), r: 4 }),
    ]),
  );
}

function reliability({ bins, error }) {
  const points = bins.map((bin) => ({ x: bin.confidence, y: bin.accuracy, interval: bin.interval }));
  const rows = bins.map((bin) => [
    percent(bin.confidence),
    number(percent(bin.accuracy)),
    number(range(bin.interval)),
    number(count(bin.rows)),
  ]);
  return el(
    "figure",
    {},
    square([0.5, 1], [0, 1], "confidence", points, { diagonal: true }),
    el(
      "figcaption",
      {},
      `Accuracy by confidence, fifths of the rows; the dashed line is what true probabilities come to. Mean gap ${error.value.toFixed(3)}, ` +
        `where true ones would show ${error.perfect.toFixed(3)}, and under ${error.perfect_most.toFixed(3)} in 95% of samples.`,
    ),
    numbersOf("Accuracy by confidence", ["Confidence", ...["Accuracy", "95% interval", "Rows"].map(number)], rows),
  );
}

function coverage({ answered }) {
  const points = answered.map((one) => ({ x: one.share, y: one.accuracy, interval: one.interval }));
  const rows = answered.map((one) => [
    percent(one.share),
    number(percent(one.accuracy)),
    number(range(one.interval)),
  ]);
  return el(
    "figure",
    {},
    square([0, 1], [0, 1], "share answered", points, { joined: true }),
    el("figcaption", {}, "Accuracy on the rows with the greatest margins, by the share of rows that these are."),
    numbersOf("Accuracy by share answered", ["Answered", ...["Accuracy", "95% interval"].map(number)], rows),
  );
}

function numbersOf(caption, heads, rows) {
  return el("details", {}, el("summary", {}, "As a table"), table(caption, heads, rows));
}

function weighingTable(cases) {
  const estimate = (value, shown) =>
    number(value ? [shown(value.value), el("small", {}, value.interval ? value.interval.map(shown).join(" to ") : "")] : DASH);
  const plain = (value) => value.toFixed(3);
  const share = (value) => percent(value);
  const rows = cases.map((one) => {
    const [weighing, judged] = [one.weighing ?? {}, judgedOf(one) ?? {}];
    return [
      judge(one),
      said(one.dataset),
      number(judged.evident === false ? "no evidence" : (judged.temperature?.toPrecision(3) ?? DASH)),
      estimate(judged.brier, plain),
      estimate(judged.log_loss, plain),
      estimate(weighing.length, plain),
      estimate(weighing.slot_bias, plain),
      estimate(weighing.swap_before, share),
      estimate(weighing.mass, share),
    ];
  });
  const heads = [
    "Temperature, nats",
    "Brier",
    "Log loss, nats",
    "Correlation with length",
    "Slot bias, nats",
    "Consistent before averaging",
    "Mass of the words",
  ];
  return table("What margins are worth, and what they follow", ["Judge", "Data set", ...heads.map(number)], rows, "wide");
}
