// The scores: the leaderboard beside the controls, prompts and data sets side by side, score against swap consistency.

const METRICS = {
  waf2: "Weighted F1, two classes",
  acc2: "Accuracy, two classes",
  waf3: "Weighted F1, three classes",
  acc3: "Accuracy, three classes",
  swap: "Swap consistency",
  answered: "Answered",
  ties: "Ties",
  first_slot: "First slot",
};
const SHORT = {
  waf2: "WAF 2",
  acc2: "ACC 2",
  waf3: "WAF 3",
  acc3: "ACC 3",
  swap: "swap",
  answered: "answered",
  ties: "ties",
  first_slot: "first slot",
};
const READINGS = { "": "as the reference reads", strict_: "strict" };
const TIES = { a1: "Tie is a1", half: "Tie is half", wrong: "Tie is wrong", dropped: "Tie is dropped" };
const LABEL_SCORES = ["waf2", "acc2", "waf3", "acc3", "swap"];

const isControl = (one) => one.modality === null;
const scored = (one, metric) => one.scores?.[metric]?.mean ?? null;
const nameOf = (one) => [one.model, one.prompt, one.variant].filter(Boolean).join(" ");
const whose = (one) => [one.model, one.variant].filter(Boolean).join(" ");
const hasFailed = (one) => !one.scores && one.outcome !== "skipped" && one.outcome !== "missing";
const isDrawn = (one) => Boolean(one.vote) && 2 * one.vote.drawn > one.vote.verdicts;
const isWeighed = (one) => ["L1", "P1"].includes(one.prompt) || one.variant === "fitted-on-labels";
const byDesign = (one, metric) =>
  (one.variant === "orders-vote" && metric.endsWith("swap")) ||
  (isWeighed(one) && (metric.endsWith("swap") || metric === "first_slot"));
const everyCase = (report) => [...report.cases, ...report.crossed];
const casesOf = (report, dataset) => report.cases.filter((one) => one.dataset === dataset && one.scores);
const failedOf = (report, dataset) => report.cases.filter((one) => one.dataset === dataset && (hasFailed(one) || isDrawn(one)));
const datasetsOf = (report) => unique([...Object.keys(report.datasets), ...report.cases.map((one) => one.dataset)]);
const byScore = (metric) => (one, other) => (scored(other, metric) ?? -1) - (scored(one, metric) ?? -1);

/** The name of a case: what judged, by which prompt, in which variant, and whether it is a control or was cut short. */
function judge(one) {
  return [
    said(one.model),
    one.prompt && [" ", el("span", { class: "tag" }, one.prompt)],
    one.variant && [" ", el("span", { class: "tag" }, one.variant)],
    isControl(one) && [" ", el("span", { class: "tag control" }, "control")],
    isDrawn(one) && [" ", el("span", { class: "tag warn" }, "drawn by lot")],
    hasFailed(one) && [" ", el("span", { class: "tag warn" }, "failed")],
    one.scores && one.complete === false && [" ", el("span", { class: "tag warn" }, "incomplete")],
  ];
}

function scoresSection(report) {
  const box = el("div", {});
  const shown = { metric: "waf2", reading: "" };
  const draw = () =>
    box.replaceChildren(
      ...datasetsOf(report)
        .map((name) => leaderboard(report, name, shown))
        .filter(Boolean),
      sideBySide(report, shown) ?? "",
    );
  const chosen = (key) => (value) => {
    shown[key] = value;
    draw();
  };
  draw();
  return section(
    "scores",
    "Scores",
    "In percent, with 95% intervals over clips. A control never looks at the clip: a score means something only beside theirs. " +
      "The dashed line is the best control.",
    el(
      "div",
      { class: "controls" },
      choice(
        "Score",
        LABEL_SCORES.map((key) => [key, METRICS[key]]),
        "waf2",
        chosen("metric"),
      ),
      choice("Reading of answers", Object.entries(READINGS), "", chosen("reading")),
    ),
    box,
  );
}

function leaderboard(report, dataset, { metric, reading }) {
  const name = reading + metric;
  const cases = casesOf(report, dataset)
    .filter((one) => !isDrawn(one))
    .sort(byScore(name));
  const failed = failedOf(report, dataset);
  if (!cases.length && !failed.length) return null;
  const about = report.datasets[dataset];
  return el(
    "article",
    { class: "dataset" },
    el(
      "h3",
      {},
      said(dataset),
      about &&
        el(
          "small",
          {},
          `${plural(about.rows, "pair")}, ${count(about.labelled)} labelled, ${plural(about.clips, "clip")}`,
        ),
    ),
    failed.length > 0 && failures(failed),
    cases.some((one) => scored(one, name) !== null) && board(cases, name, METRICS[metric]),
    compared(cases, name),
    el("details", {}, el("summary", {}, "All scores as a table"), allScores([...cases, ...failed], dataset, reading)),
    treatments(cases, metric),
  );
}

/** Cases that were asked and have no scores, with the reason: above all that has some. */
function failures(cases) {
  const why = (one) =>
    isDrawn(one) ? `${one.vote.drawn} of ${one.vote.verdicts} verdicts were drawn by lot` : (one.reason ?? "");
  const rows = cases.map((one) => [judge(one), number(DASH), said(why(one).split("\n")[0])]);
  return table("Without scores: their questions failed, too few answers could be read, or a coin decided", ["Judge", number("Score"), "Why"], rows);
}

/** What the score would be under other conventions, and how far unread answers could move it. */
function treatments(cases, metric) {
  const known = cases.filter((one) => one.policies && one.policies[0][metric] !== undefined);
  if (!known.length) return null;
  const treated = (one, ties) => one.policies.find((policy) => policy.ties === ties && policy.unread === "wrong");
  const rows = known.map((one) => [
    judge(one),
    ...Object.keys(TIES).map((ties) => number(percent(treated(one, ties)[metric], 2))),
    number(`${percent(one.bounds.strict[metric].worst, 2)} to ${percent(one.bounds.strict[metric].best, 2)}`),
  ]);
  return el(
    "details",
    {},
    el("summary", {}, "What ties and unread answers count for"),
    table(
      `${METRICS[metric]} where a tie counts as a1, as half right, as wrong, or not at all, and an unread answer is wrong; ` +
        "and how low and high it could be, whatever the unread answers meant",
      ["Judge", ...[...Object.values(TIES), "Unread could mean"].map(number)],
      rows,
      "wide",
    ),
  );
}

/** The dot-and-whisker plot: a list, whose every row also says its numbers. */
function board(cases, name, words) {
  const known = cases.filter((one) => scored(one, name) !== null);
  const scale = scaleOver(known.flatMap((one) => [scored(one, name), ...(one.scores[name].interval ?? [])]));
  const controls = known.filter(isControl).map((one) => scored(one, name));
  const best = controls.length ? Math.max(...controls) : null;
  return el(
    "ol",
    { class: "board", "aria-label": words },
    el(
      "li",
      { class: "axis", "aria-hidden": "true" },
      el("span", {}),
      ruler(scale),
      el("span", {}, "Score, 95% interval"),
    ),
    known.map((one) =>
      el(
        "li",
        {},
        el("span", { class: "name" }, judge(one)),
        whisker(scale, one.scores[name], isControl(one), best),
        el(
          "span",
          { class: "value" },
          el("b", {}, percent(scored(one, name))),
          el("small", {}, range(one.scores[name].interval)),
        ),
      ),
    ),
  );
}

function allScores(cases, dataset, reading) {
  const metrics = Object.keys(METRICS).map((key) => [key, LABEL_SCORES.includes(key) ? reading + key : key]);
  const rows = cases.map((one) => [
    judge(one),
    ...metrics.map(([, name]) => number(precise(one, name))),
  ]);
  return table(
    `All scores on ${dataset}, ${READINGS[reading]}`,
    ["Judge", ...metrics.map(([key]) => number(SHORT[key]))],
    rows,
    "wide",
  );
}

function precise(one, name) {
  const score = isDrawn(one) ? null : one.scores?.[name];
  if (byDesign(one, name)) return "by design";
  if (!score || score.mean === null) return DASH;
  const spread = score.sd === null ? "" : ` \u00b1 ${percent(score.sd, 2)}`;
  return [percent(score.mean, 2) + spread, score.interval && el("small", {}, range(score.interval))];
}

/** Whether each judge beats the best control on the same rows, and then what else the document compares it with. */
function compared(cases, name) {
  const found = cases
    .filter((one) => !isControl(one))
    .flatMap((one) =>
      (one.comparisons ?? [])
        .filter((other) => other.metric === name && other.difference !== null)
        .map((other) => ({ one, ...other })),
    );
  if (!found.length) return null;
  const best = (all) => all.filter(({ kind }) => kind === "control").sort((a, b) => b.other - a.other)[0];
  const headline = new Set(cases.map((one) => best(found.filter((other) => other.one === one))).filter(Boolean));
  return [
    headline.size > 0 && comparisons("Against the best control, on the same rows: difference in points", [...headline]),
    el("details", {}, el("summary", {}, "All comparisons"), comparisons("Judge minus the other, in points", found)),
  ];
}

function comparisons(caption, found) {
  const rows = found.map(({ one, against, difference, interval, p_two_sided: p }) => [
    judge(one),
    said(against),
    beats(difference, interval, p),
    number(points(difference)),
    number(interval ? `${points(interval[0])} to ${points(interval[1])}` : DASH),
    number(chance(p)),
  ]);
  return table(caption, ["Judge", "Other", "", ...["Difference", "95% interval", "p"].map(number)], rows);
}

/** No more than p and the interval allow, as the terminal has it. */
function beats(difference, interval, p) {
  const [low, high] = interval ?? [0, 0];
  if (p === null || p >= 0.05 || (low <= 0 && high >= 0)) return "can\u2019t be told apart";
  return difference > 0 ? "better" : "worse";
}

function sideBySide(report, { metric, reading }) {
  const name = reading + metric;
  const cases = report.cases.filter((one) => scored(one, name) !== null && !isDrawn(one));
  const columns = unique(cases.map((one) => JSON.stringify([one.dataset, one.prompt])))
    .sort()
    .map((key) => JSON.parse(key));
  if (columns.length < 2) return null;
  const [least, most] = [Math.min, Math.max].map((pick) => pick(...cases.map((one) => scored(one, name))));
  const rows = unique(cases.map(whose)).map((model) => [
    said(model),
    ...columns.map(([dataset, prompt]) => {
      const one = cases.find((other) => whose(other) === model && other.dataset === dataset && other.prompt === prompt);
      const score = one && scored(one, name);
      return one
        ? [
            { class: "number tint", style: { "--share": ((score - least) / (most - least || 1)).toFixed(3) } },
            percent(score),
          ]
        : number("");
    }),
  ]);
  const heads = columns.map(([dataset, prompt]) => [
    { class: "number" },
    [said(dataset), el("small", {}, prompt ?? "no prompt")],
  ]);
  return el(
    "article",
    {},
    el("h3", {}, "Prompts and data sets side by side"),
    table(`${METRICS[metric]}, ${READINGS[reading]}: models by data set and prompt`, ["Model", ...heads], rows, "wide"),
  );
}

function againstSwapSection(report) {
  const prompts = unique(report.cases.map((one) => one.prompt).filter(Boolean)).sort();
  const plots = datasetsOf(report).map((dataset) => {
    const items = casesOf(report, dataset)
      .filter((one) => scored(one, "waf2") !== null && scored(one, "swap") !== null)
      .filter((one) => !byDesign(one, "swap") && !isDrawn(one))
      .map((one) => ({
        x: scored(one, "swap"),
        y: scored(one, "waf2"),
        name: whose(one),
        words: nameOf(one),
        control: isControl(one),
        series: Math.max(0, prompts.indexOf(one.prompt)),
      }));
    const words = `Weighted F1 against swap consistency on ${dataset}; the numbers are in the table of all scores`;
    return items.length
      ? el(
          "figure",
          {},
          el("figcaption", {}, el("h3", {}, said(dataset))),
          scatter(items, "swap consistency", "weighted F1, two classes", words),
        )
      : null;
  });
  if (!plots.some(Boolean)) return null;
  return section(
    "consistency",
    "Score against consistency",
    "A judge that follows the order of the texts rather than the texts falls to the left. Hollow diamonds are controls.",
    el("div", { class: "grid two" }, plots),
    prompts.length > 1 && legend(prompts.map((prompt, i) => [`series-${i}`, prompt, shapeOf(i)])),
  );
}
