// How judges go with each other: agreement as a matrix, and what all of them miss.

const MEASURES = { kappa: "Cohen\u2019s kappa", share: "Share of equal verdicts" };

/** report.together[dataset] is {agreement: {cases, pairs}, missed}, see together.py. `browse` shows the pairs of a cell. */
function togetherSection(report, browse) {
  const known = Object.entries(report.together).filter(([, parts]) => parts.agreement || parts.missed);
  if (!known.length) return null;
  const box = el("div", {});
  const draw = (measure) =>
    box.replaceChildren(
      ...known.map(([dataset, { agreement, missed }]) =>
        el(
          "article",
          {},
          el("h3", {}, said(dataset)),
          agreement && agreementTable(report, dataset, agreement, measure, browse),
          missed && missedBy(dataset, missed, browse),
        ),
      ),
    );
  draw("kappa");
  return section(
    "together",
    "Judges and each other",
    "How often two judges give the same verdict on the texts as they stand, where both answers could be read. Kappa takes off what " +
      "they would share by chance, each with its own shares of a1, a2 and same: 1 is always, 0 as often as by chance, below 0 " +
      "less often. Agreement is no proof of being right: two judges that follow the same shortcut agree, too. A cell opens the " +
      "pairs on which the two differ.",
    el("div", { class: "controls" }, choice("Measure", Object.entries(MEASURES), "kappa", draw)),
    box,
  );
}

function agreementTable(report, dataset, { cases, pairs }, measure, browse) {
  const judges = cases.map((id) => report.cases.find((one) => one.id === id));
  const known = new Map(pairs.flatMap(([i, j, ...found]) => [[`${i} ${j}`, found], [`${j} ${i}`, found]]));
  const labelled = judges.some((_, j) => known.get(`0 ${j + 1}`)[0]);
  const places = [0, ...cases.map((_, j) => j + 1)].filter((place) => place || labelled);
  const name = (place) => (place ? nameOf(judges[place - 1]) : "people");
  const show = (i, j) => () =>
    i && j
      ? browse({ dataset, judge: cases[i - 1], other: cases[j - 1] })
      : browse({ dataset, judge: cases[(i || j) - 1], people: "disagrees" });
  const rows = places.map((i) => [
    [{}, [el("small", {}, `${i || "P"} `), i ? judge(judges[i - 1]) : "people"]],
    ...places.map((j) => (i === j ? "" : agreementCell(known.get(`${i} ${j}`), measure, `${name(i)}, ${name(j)}`, show(i, j)))),
  ]);
  return table(
    `${MEASURES[measure]} on ${dataset}; columns have the numbers of the rows`,
    ["Judge", ...places.map((place) => [{ title: name(place) }, place || "P"])],
    rows,
    "matrix mutual",
  );
}

function agreementCell([rows, share, kappa], measure, who, show) {
  const value = measure === "kappa" ? kappa : share;
  const words = `${who}: kappa ${decimal(kappa)}, ${percent(share)}% of ${plural(rows, "row")}`;
  return [
    { class: `cell ${value < 0 ? "differs" : "agrees"}`, style: { "--share": Math.abs(value ?? 0).toFixed(3) } },
    el(
      "button",
      { type: "button", click: show, disabled: !rows || share === 1, title: words, "aria-label": words },
      measure === "kappa" ? decimal(kappa) : percent(share),
    ),
  ];
}

function missedBy(dataset, { judges, asked, independent, rows, clips }, browse) {
  const found =
    `None of ${judges} judges has the text that people preferred in ${count(rows.length)} of ${plural(asked, "pair")}; ` +
    `were their errors independent, it would be about ${independent.toFixed(1)}. Controls and variants don\u2019t count, an ` +
    "unread answer is a miss. What all miss may be hard, out of reach of what they see and hear, or labelled wrongly.";
  return [
    el("h4", {}, "Missed by all judges"),
    el("p", { class: "lead" }, found),
    rows.length > 0 && [
      el("button", { type: "button", class: "quiet", click: () => browse({ dataset, people: "missed" }) }, "Show these pairs"),
      table(
        `Clips of ${dataset} that all judges miss`,
        ["Clip", ...["Pairs missed", "of"].map(number)],
        clips.map(([name, missed, of]) => [said(name), number(count(missed)), number(count(of))]),
      ),
    ],
  ];
}
