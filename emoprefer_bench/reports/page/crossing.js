// Whose fault errors are: what other descriptions mend, and every judge with every description.

const DESCRIPTIONS = {
  undescribed: "no description",
  misdescribed: "own, of another clip",
  reference: "the reference",
};
const MENDS = [
  ["time-0", "two or more other descriptions mend it"],
  ["time-2", "one mends it"],
  ["time-1", "none mends it"],
];
const SOURCES = { describer: "time-0", judge: "time-1", interaction: "time-4" };

/** report.crossings is a list of {dataset, prompt, rows, describers, cells, judges, variance}, see types.py. */
function faultsSection(report) {
  if (!report.crossings.length) return null;
  return section(
    "faults",
    "Whose fault an error is",
    "Each judge compared by the descriptions of others, too. An error that others\u2019 descriptions mend is the description\u2019s; " +
      "one that none mends is the judge\u2019s, or the label\u2019s. Verdicts strictly read, on the rows that are labelled a1 or a2.",
    report.crossings.map((one) =>
      el(
        "article",
        { class: "dataset" },
        el("h3", {}, said(one.dataset), " ", el("span", { class: "tag" }, one.prompt), el("small", {}, plural(one.rows, "row"))),
        mendedBoard(one),
        one.variance && varianceBar(one),
        blameTable(one),
        crossedTable(one),
      ),
    ),
  );
}

/** What becomes of each case's errors with other descriptions, as bars of all of its errors. */
function mendedBoard({ judges, dataset }) {
  const known = judges.filter((one) => one.mended && one.none);
  if (!known.length) return null;
  return [
    el(
      "ol",
      { class: "board", "aria-label": `Errors on ${dataset} by how many other descriptions mend them` },
      known.map((one) => {
        const [two, none] = [one.mended.share, one.none.share];
        return el(
          "li",
          {},
          el("span", { class: "name" }, said(one.case)),
          bar([["time-0", two], ["time-2", Math.max(0, 1 - two - none)], ["time-1", none]], 1),
          el(
            "span",
            { class: "value" },
            el("b", {}, `${percent(two, 0)}, ${percent(none, 0)}`),
            el("small", {}, plural(one.errors, "error")),
          ),
        );
      }),
    ),
    legend(MENDS),
  ];
}

function varianceBar({ variance, describers, prompt }) {
  const words = { describer: "who describes", judge: "who judges", interaction: "both together" };
  const parts = Object.entries(SOURCES);
  return el(
    "figure",
    {},
    bar(parts.map(([name, kind]) => [kind, variance[name].value]), sum(parts.map(([name]) => variance[name].value))),
    el(
      "figcaption",
      {},
      `What makes verdicts on one row differ, by ${prompt} over ${plural(describers.length, "describer")}: shares of variance`,
    ),
    legend(
      parts.map(([name, kind]) => [
        kind,
        `${words[name]}: ${percent(variance[name].value)} (${range(variance[name].interval)})`,
      ]),
    ),
  );
}

function blameTable({ judges, prompt }) {
  const mended = (part) =>
    number(part ? [percent(part.share), el("small", {}, `${range(part.interval)}, by chance ${percent(part.by_chance, 0)}`)] : DASH);
  const gain = (fault) => {
    if (!fault) return number(DASH);
    const shown = points(fault.gain);
    return number([fault.found ? el("b", {}, shown) : shown, el("small", {}, fault.interval.map(points).join(" to "))]);
  };
  const rows = judges.map((one) => [
    said(one.case),
    number(count(one.errors)),
    mended(one.mended),
    mended(one.none),
    gain(one.descriptions),
    gain(one.comparing),
  ]);
  const heads = ["Errors", "Two or more mend", "None mends", "Others\u2019 descriptions", "Other judges"];
  return table(
    `${prompt}: shares of errors; and points more with others\u2019 descriptions, or of other judges with its own, in bold what is above 0`,
    ["Case", ...heads.map(number)],
    rows,
    "wide",
  );
}

function crossedTable({ cells, prompt }) {
  const judges = unique(cells.map((cell) => cell.judge));
  const special = Object.keys(DESCRIPTIONS);
  const described = unique(cells.map((cell) => cell.description)).sort(
    (a, b) => special.indexOf(a) - special.indexOf(b) || a.localeCompare(b),
  );
  const rows = described.map((name) => [
    DESCRIPTIONS[name] ?? said(name),
    ...judges.map((judged) => {
      const cell = cells.find((one) => one.description === name && one.judge === judged);
      if (!cell || cell.acc2 === null) return number(DASH);
      return [
        { class: "number tint", style: { "--share": cell.acc2.toFixed(3) }, title: plural(cell.rows, "row") },
        [percent(cell.acc2), el("small", {}, range(cell.interval))],
      ];
    }),
  ]);
  return table(
    `${prompt}: accuracy of each judge (columns) by whose description it gets (rows), in percent`,
    ["Description", ...judges.map((name) => [{ class: "number" }, said(name)])],
    rows,
    "wide",
  );
}
