// How judges err: label by verdict, verdict by verdict on the exchanged pair, how answers were read, slices.

const VERDICTS = ["a1", "a2", "same", "unread"];
const HOW = ["parsed", "ambiguous", "truncated", "refused", "empty", "error", "weighed"];
const bestCase = (report) => {
  const plain = (one) => 2 * !isControl(one) + (one.complete && !one.variant);
  const having = report.cases.filter((one) => one.confusion);
  return having.sort((one, other) => plain(other) - plain(one) || byScore("waf2")(one, other))[0];
};

/** `browse` shows the pairs of a cell. */
function agreementSection(report, browse) {
  const cases = report.cases.filter((one) => one.confusion);
  if (!cases.length) return null;
  const box = el("div", { class: "grid two" });
  const draw = (id) =>
    box.replaceChildren(
      ...matrices(
        cases.find((one) => one.id === id),
        browse,
      ),
    );
  const first = bestCase(report);
  draw(first.id);
  return section(
    "agreement",
    "Agreement and position",
    "Counts of verdicts, strictly read, over all rounds. A cell opens its pairs.",
    el(
      "div",
      { class: "controls" },
      choice(
        "Judge",
        cases.map((one) => [one.id, `${nameOf(one)} on ${one.dataset}`]),
        first.id,
        draw,
      ),
    ),
    box,
    biasTable(cases),
  );
}

function matrices(one, browse) {
  const base = { dataset: one.dataset, judge: one.id };
  const made = [
    matrix(
      "Verdict on the pair as exchanged, by verdict",
      "verdict",
      VERDICTS,
      one.flips,
      (i, j) => ({
        kind: i + j === 1 || (i === 2 && j === 2) ? "agrees" : "differs",
        show: () => browse({ ...base, forward: CODES[i], exchanged: CODES[j] }),
      }),
      "Blue cells are consistent: the same text was chosen when it stood in the other place. Both a1 is a preference for the first place, both a2 for the second.",
    ),
  ];
  if (sum(one.confusion.flat())) {
    made.unshift(
      matrix(
        "Verdict by people\u2019s label",
        "people",
        VERDICTS.slice(0, 3),
        one.confusion,
        (i, j) => ({
          kind: i === j ? "agrees" : "differs",
          show: () => browse({ ...base, label: CODES[i], forward: CODES[j] }),
        }),
        "Blue cells agree with people.",
      ),
    );
  }
  return made;
}

function matrix(caption, corner, rows, counts, about, note) {
  const most = Math.max(1, ...counts.flat());
  const body = rows.map((row, i) => [
    row,
    ...VERDICTS.map((_, j) => {
      const { kind, show } = about(i, j);
      const share = counts[i][j] / most;
      return [
        { class: `cell ${kind}`, style: { "--share": share.toFixed(3) } },
        el(
          "button",
          {
            type: "button",
            click: show,
            disabled: !counts[i][j],
            "aria-label": `${row}, ${VERDICTS[j]}: ${counts[i][j]}`,
          },
          count(counts[i][j]),
        ),
      ];
    }),
  ]);
  return el("figure", {}, table(caption, [corner, ...VERDICTS], body, "matrix"), el("figcaption", {}, note));
}

function provenanceSection(report) {
  const cases = report.cases.filter((one) => sum(Object.values(one.provenance ?? {})));
  if (!cases.length) return null;
  const present = HOW.filter((how) => cases.some((one) => one.provenance[how]));
  const rows = cases.map((one) => {
    const total = sum(Object.values(one.provenance));
    return [
      judge(one),
      said(one.dataset),
      [
        { class: "plot" },
        bar(
          present.map((how) => [`how-${how}`, one.provenance[how] ?? 0]),
          total,
        ),
      ],
      ...present.map((how) => number(count(one.provenance[how]))),
    ];
  });
  return section(
    "answers",
    "How answers were read",
    "An answer that does not say which text it prefers has no verdict in the strict scores, and a reason why.",
    legend(present.map((how) => [`how-${how}`, how])),
    table("Answers by how they were read", ["Judge", "Data set", "", ...present.map(number)], rows, "wide"),
  );
}

const WITH_INTERVAL = (share, interval) => number([percent(share), el("small", {}, range(interval))]);

const BIAS_WORDS =
  "Consistent: the exchanged pair got the same verdict, a tie again or the same text. Without ties: the same of the rows where both " +
  "verdicts name a text, since a judge that always says same is consistent, too. Kappa (Cohen): consistency beyond what two such " +
  "sets of verdicts would share by chance; 1 is always, 0 as often as by chance, as when the place alone decides.";

/** bias: first_slot {share, interval}, consistency, consistency_without_ties, kappa, primacy, recency. */
function biasTable(cases) {
  const noisy = cases.some((one) => one.noise);
  const rows = cases
    .filter((one) => one.bias && !isWeighed(one))
    .map(({ bias, ...one }) =>
      [
        judge(one),
        said(one.dataset),
        WITH_INTERVAL(bias.first_slot?.share, bias.first_slot?.interval),
        ...[bias.consistency, bias.consistency_without_ties, bias.primacy, bias.recency].map((share) =>
          number(percent(share)),
        ),
        number(decimal(bias.kappa)),
        noisy && number(percent(one.noise?.rate)),
      ].filter(Boolean),
    );
  const heads = [
    "Chose the first slot",
    "Consistent",
    "Without ties",
    "First in both orders",
    "Second in both orders",
    "Kappa",
    ...(noisy ? ["Engine\u2019s own flips"] : []),
  ];
  return (
    rows.length > 0 && [
      table(
        "Position bias, in percent of the rows read in both orders",
        ["Judge", "Data set", ...heads.map(number)],
        rows,
        "wide",
      ),
      el("p", { class: "lead" }, BIAS_WORDS),
    ]
  );
}

const SLICES = {
  preferred_length: "Accuracy by the length of the text that people preferred",
  length_difference: "Accuracy by the difference in length, in words",
  writers: "Accuracy by who wrote the two texts",
  writer_prior: "Accuracy by whether the label is what the writers alone predict",
};

/** slices[name] is a list of {slice, rows, acc2, interval}; slices.prefers_longer is {people, judge}. */
function slicesSection(report) {
  const cases = report.cases.filter((one) => one.slices);
  const tables = Object.keys(SLICES)
    .map((name) => sliceTable(cases, name))
    .filter(Boolean);
  const longer = cases
    .filter((one) => one.slices.prefers_longer)
    .map((one) => [
      judge(one),
      said(one.dataset),
      ...["people", "judge"].map((who) => number(percent(one.slices.prefers_longer[who]))),
    ]);
  if (longer.length)
    tables.unshift(
      table(
        "How often the longer text is preferred",
        ["Judge", "Data set", ...["By people", "By the judge"].map(number)],
        longer,
      ),
    );
  if (!tables.length) return null;
  return section(
    "slices",
    "Slices",
    "A judge that is right only where people preferred the longer text, or where the writers give the answer away, follows length or style rather than the clip.",
    tables,
  );
}

const FOLLOWED = {
  longer: "the longer text",
  writer_prior: "the writer that tends to win",
  word_overlap: "the text with more words of the subtitle",
};
const shortcut = (one, slice) => one.slices.shortcuts?.find((part) => part.slice === slice && part.rows);

/** slices.shortcuts is a list of {slice, rows, acc2, interval, followed?}; `slice` is "with" or "against" and a shortcut. */
function shortcutsSection(report) {
  const parts = datasetsOf(report).flatMap((dataset) => {
    const cases = casesOf(report, dataset).filter((one) => one.slices && !isDrawn(one));
    return Object.keys(FOLLOWED).map((name) => gapBoard(dataset, cases.sort(byScore("waf2")), name));
  });
  const tables = [...datasetsOf(report).map((name) => peopleTable(report, name)), subsetTable(report), matchedTable(report), pullsTable(report)];
  if (![...parts, ...tables].some(Boolean)) return null;
  return section(
    "shortcuts",
    "Shortcuts",
    "Accuracy where a shortcut gives the right answer (hollow) and where it gives the wrong one (filled), strictly read, " +
      "with 95% intervals over clips. A judge that goes by the clip alone has both in one place; a shortcut itself is at 100 and at 0.",
    parts,
    tables,
  );
}

/** The gap between accuracy with and against a shortcut: a list, whose every row also says its numbers. */
function gapBoard(dataset, all, name) {
  const cases = all.filter((one) => shortcut(one, `with ${name}`) && shortcut(one, `against ${name}`));
  if (!cases.length) return null;
  const scale = { ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], at: (value) => `${100 * value}%` };
  const rows = (relation) => plural(shortcut(cases[0], `${relation} ${name}`).rows, "row");
  return el(
    "article",
    { class: "dataset" },
    el(
      "h3",
      {},
      said(dataset),
      el("small", {}, `people chose ${FOLLOWED[name]} in ${rows("with")}, and the other in ${rows("against")}`),
    ),
    el(
      "ol",
      { class: "board", "aria-label": `Accuracy on ${dataset} with and against ${FOLLOWED[name]}` },
      el("li", { class: "axis", "aria-hidden": "true" }, el("span", {}), ruler(scale), el("span", {}, "With, against")),
      cases.map((one) => {
        const [there, against] = ["with", "against"].map((relation) => shortcut(one, `${relation} ${name}`));
        return el(
          "li",
          {},
          el("span", { class: "name" }, judge(one)),
          gap(scale, there, against),
          el(
            "span",
            { class: "value" },
            el("b", {}, `${percent(there.acc2, 0)}, ${percent(against.acc2, 0)}`),
            el("small", {}, `follows ${percent(against.followed, 0)} (${range(against.followed_interval)})`),
          ),
        );
      }),
    ),
  );
}

/** A data set's ceiling: how far people agree; a judge's of_ceiling: {rows, acc2, interval, relative, alternative}. */
function peopleTable(report, dataset) {
  const human = report.datasets[dataset]?.ceiling;
  const rows = casesOf(report, dataset)
    .filter((one) => one.of_ceiling && !isControl(one) && !isDrawn(one))
    .map((one) => {
      const { rows, acc2, interval, relative, alternative } = one.of_ceiling;
      return [
        judge(one),
        number(rows === undefined ? DASH : count(rows)),
        WITH_INTERVAL(acc2, interval),
        number(range(relative)),
        number(alternative ? `${alternative.wins} of ${alternative.annotators.length}` : DASH),
      ];
    });
  if (!human || !rows.length) return null;
  const each = human.annotators.map((one) => [said(one.annotator), number(count(one.rows)), WITH_INTERVAL(one.agreement, one.interval)]);
  const [low, high] = human.best;
  const sure = human.alpha_interval?.map((bound) => decimal(bound)).join(" to ");
  return [
    el("h3", {}, "People on ", said(dataset)),
    el(
      "p",
      {},
      `Two people agree on ${percent(human.agreement)}% of labels (${range(human.agreement_interval)}) in ` +
        `${plural(human.pairs, "pair")}; Krippendorff\u2019s alpha is ${decimal(human.alpha)}${sure ? ` (${sure})` : ""}. ` +
        `So the best judge of single labels has an accuracy between ${percent(low)} and ${percent(high)}` +
        `${human.best_interval ? ` (by the interval, ${range(human.best_interval)})` : ""}.`,
    ),
    table(
      "Accuracy on the rows that several people labelled, what part of the best possible one it is, and for how many people the judge could stand in",
      ["Judge", ...["Rows", "Accuracy", "Of the best", "Stands in for"].map(number)],
      rows,
    ),
    each.length > 0 && table("How often other people agree with each", ["Person", ...["Rows", "Others agree"].map(number)], each),
  ];
}

function matchedTable(report) {
  const rows = report.cases
    .filter((one) => one.slices && !isDrawn(one) && shortcut(one, "matched length"))
    .map((one) => {
      const part = shortcut(one, "matched length");
      return [judge(one), said(one.dataset), number(count(part.rows)), WITH_INTERVAL(part.acc2, part.interval)];
    });
  return (
    rows.length > 0 &&
    table(
      "Accuracy on texts of matched length: within 15% of the words of the longer one, strictly read",
      ["Judge", "Data set", ...["Rows", "Accuracy"].map(number)],
      rows,
    )
  );
}

/** pulls is {people or a shortcut: {weight, interval, found}}. */
function pullsTable(report) {
  const cases = report.cases.filter((one) => !isControl(one) && Object.keys(one.pulls ?? {}).length);
  const names = unique(cases.flatMap((one) => Object.keys(one.pulls)));
  const rows = cases.map((one) => [
    judge(one),
    said(one.dataset),
    ...names.map((name) => {
      const pull = one.pulls[name];
      if (!pull) return number(DASH);
      const bounds = pull.interval.map((bound) => decimal(bound)).join(" to ");
      return number([el(pull.found ? "b" : "span", {}, decimal(pull.weight)), el("small", {}, bounds)]);
    }),
  ]);
  return (
    rows.length > 0 &&
    table(
      "What verdicts go with, the others held fixed: about the share of verdicts; in bold what can be told from 0",
      ["Judge", "Data set", ...names.map(number)],
      rows,
      "wide",
    )
  );
}

const SOLVED = " (solved by length)";

const isLonger = (one) => one.model === "longer" && isControl(one);

/** Whether the row is the longer text's own, and that is right on all of the subset: no judge's merit shows there. */
function isSolved(one, part) {
  return isLonger(one) && part.scores.strict_acc2?.mean === 1;
}

function subsetTable(report) {
  const cases = report.cases.filter((one) => !isDrawn(one) && Object.keys(one.subsets ?? {}).length);
  const rows = cases.flatMap((one) =>
    Object.entries(one.subsets).map(([name, part]) => [
      judge(one),
      said(one.dataset),
      el("span", {}, said(name), isSolved(one, part) && SOLVED),
      number(count(part.rows)),
      ...["waf2", "acc2", "acc3", "swap"].map((metric) =>
        byDesign(one, metric) ? number("by design") : WITH_INTERVAL(part.scores[metric].mean, part.scores[metric].interval),
      ),
      isLonger(one) ? number("by design") : WITH_INTERVAL(part.longer, part.longer_interval),
    ]),
  );
  return (
    rows.length > 0 &&
    table(
      "Scores by subset, as the reference reads",
      ["Judge", "Data set", "Subset", ...["Rows", ...["waf2", "acc2", "acc3", "swap"].map((name) => SHORT[name]), "Chose longer"].map(number)],
      rows,
      "wide",
    )
  );
}

function sliceTable(all, name) {
  const cases = all.filter((one) => one.slices[name]?.some((part) => part.rows));
  const slices = unique(cases.flatMap((one) => one.slices[name].filter((part) => part.rows).map((part) => part.slice)));
  const rows = cases.map((one) => [
    judge(one),
    said(one.dataset),
    ...slices.map((slice) => {
      const part = one.slices[name].find((other) => other.slice === slice);
      if (!part?.rows) return number(DASH);
      return [
        { class: "number tint", style: { "--share": part.acc2.toFixed(3) }, title: plural(part.rows, "row") },
        [percent(part.acc2), el("small", {}, range(part.interval))],
      ];
    }),
  ]);
  return cases.length > 0 && table(SLICES[name], ["Judge", "Data set", ...slices.map(number)], rows, "wide");
}
