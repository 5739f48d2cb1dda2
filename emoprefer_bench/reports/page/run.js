// The run itself: where time went, what the gates said, what did not run, with what it was made.

function timeSection(report) {
  const cases = everyCase(report).filter((one) => one.questions && !isControl(one));
  if (!cases.length) return null;
  const kinds = unique(cases.flatMap((one) => Object.keys(one.seconds))).filter((kind) => kind !== "elapsed");
  const whole = Math.max(...cases.map((one) => sum(kinds.map((kind) => one.seconds[kind] ?? 0)))) || 1;
  const counted = ["prompt", "cached", "audio", "video", "output"].filter((kind) =>
    cases.some((one) => one.tokens[kind]),
  );
  const rows = cases.map((one) => [
    judge(one),
    said(one.dataset),
    [
      { class: "plot" },
      bar(
        kinds.map((kind, i) => [`time-${i}`, one.seconds[kind] ?? 0]),
        whole,
      ),
    ],
    ...kinds.map((kind) => number(duration(one.seconds[kind] ?? 0))),
    number(count(one.questions.asked)),
    number(count(one.questions.stored)),
    ...counted.map((kind) => number(count(one.tokens[kind]))),
    number(reached(one)),
  ]);
  return section(
    "time",
    "Where time went",
    "Summed over questions asked in this run; answers from the store cost nothing. The last column says in how many answers about a clip its sound and picture reached the model.",
    legend(kinds.map((kind, i) => [`time-${i}`, kind])),
    table(
      "Seconds, questions and tokens",
      [
        "Judge",
        "Data set",
        "",
        ...[...kinds, "asked", "stored", ...counted.map((kind) => `${kind} tokens`), "heard / seen"].map(number),
      ],
      rows,
      "wide",
    ),
    faults(cases),
  );
}

function reached(one) {
  const { answers, heard, seen } = one.media ?? {};
  return answers ? `${percent(heard / answers, 0)}% / ${percent(seen / answers, 0)}%` : DASH;
}

function faults(cases) {
  const rows = cases.flatMap((one) =>
    Object.entries(one.faults ?? {}).map(([what, times]) => [
      judge(one),
      said(one.dataset),
      said(what),
      number(count(times)),
    ]),
  );
  return rows.length ? table("Questions that failed", ["Judge", "Data set", "Why", number("Times")], rows) : null;
}

const OUTCOMES = { pass: "\u2713 pass", fail: "\u2715 fail", inconclusive: "? inconclusive", warn: "! warn" };

/** A case's gate is a list of {outcome, kind, metric, message} and the numbers that it stands on, if any. */
function gatesSection(report) {
  const rows = report.cases.flatMap((one) =>
    (one.gate ?? []).map((gate) => [
      judge(one),
      said(one.dataset),
      el("span", { class: `outcome ${gate.outcome}` }, OUTCOMES[gate.outcome] ?? gate.outcome),
      [gate.metric, gate.kind].filter(Boolean).join(" "),
      number(percent(gate.floor ?? gate.baseline)),
      number(percent(gate.score ?? gate.current)),
      number(points(-(gate.drop ?? NaN))),
      number(chance(gate.p)),
      said((gate.message ?? "").replace(`${one.id}: `, "")),
    ]),
  );
  const skipped = everyCase(report).filter((one) => one.outcome === "skipped");
  if (!rows.length && !skipped.length) return null;
  return section(
    "gates",
    "Gates and what did not run",
    null,
    rows.length > 0 &&
      table(
        "Gates",
        ["Judge", "Data set", "Outcome", "What", ...["Limit or baseline", "Now", "Change", "p"].map(number), ""],
        rows,
        "wide",
      ),
    skipped.length > 0 &&
      el("details", {}, el("summary", {}, `${plural(skipped.length, "case")} skipped`), notRun("Skipped", skipped)),
  );
}

/** Cases that ended badly, or never ran although they should have: the first thing on a page. */
function failedSection(report) {
  const failed = everyCase(report).filter((one) => !["passed", "skipped"].includes(one.outcome));
  if (!failed.length) return null;
  const words = `${plural(failed.length, "case")} of ${count(everyCase(report).length)} failed, stopped or did not come to run.`;
  return section("failed", "Failed", words, notRun("Failed or stopped", failed));
}

const WHY = { interrupted: "stopped before it was complete; the same command goes on with it" };

function notRun(caption, cases) {
  return table(
    caption,
    ["Judge", "Data set", "Why"],
    cases.map((one) => [judge(one), said(one.dataset), said(one.reason || WHY[one.outcome] || one.outcome, "div")]),
  );
}

function manifestSection(report) {
  const judges = new Map(
    report.cases
      .flatMap((one) => Object.values(one.engine ?? {}))
      .filter(Boolean)
      .map((engine) => [engine.name, engine]),
  );
  return section(
    "run",
    "The run",
    null,
    table(
      "Data sets",
      ["Name", ...["Pairs", "Labelled", "Clips"].map(number), "Digest"],
      Object.entries(report.datasets).map(([name, one]) => [
        said(name),
        number(count(one.rows)),
        number(count(one.labelled)),
        number(count(one.clips)),
        el("code", {}, one.digest ?? ""),
      ]),
    ),
    el("article", {}, el("h3", {}, "Manifest"), tree(report.manifest)),
    judges.size > 0 &&
      el(
        "article",
        {},
        el("h3", {}, "Judges"),
        [...judges].map(([name, engine]) => el("details", {}, el("summary", {}, said(name)), tree(engine))),
      ),
  );
}

/** Any JSON as nested lists of names and values. */
function tree(value) {
  if (Array.isArray(value))
    return el("code", {}, value.map((part) => (typeof part === "object" ? JSON.stringify(part) : part)).join(" "));
  if (value === null || typeof value !== "object") return el("code", {}, value ?? DASH);
  return el(
    "dl",
    { class: "tree" },
    Object.entries(value).map(([key, part]) =>
      el("div", {}, el("dt", {}, key.replaceAll("_", " ")), el("dd", {}, tree(part))),
    ),
  );
}
