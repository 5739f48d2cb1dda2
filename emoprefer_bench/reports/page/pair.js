// One pair: its clip, both texts, and what was said about them.

const STEPS = { describe: "Description of the clip", reason: "Reasoning" };

/** A pair as an article. `judge` is the case whose answers are shown, or none for all verdicts alone; `select` chooses another. */
function pairCard(report, pairs, filter, row, select) {
  const rows = pairs.datasets[filter.dataset];
  const text = (id) => (id === null || id === undefined ? null : pairs.texts[id]);
  const one = everyCase(report).find((other) => other.id === filter.judge);
  const rounds = one ? pairs.cases[one.id] : [];
  const label = rows.labels[row];
  const clip = rows.clips[row];
  const head = el("h3", { id: `pair-${row}` }, said(pairs.clips[clip].name), el("small", {}, `row ${row + 1}`));
  return el(
    "article",
    { class: "pair", "aria-labelledby": head.id },
    el("header", {}, head, badges(label, rounds[0], row)),
    el("div", { class: "seen" }, media(pairs.clips[clip], clip), said(text(rows.subtitle[row]) ?? "", "p")),
    el(
      "div",
      { class: "texts" },
      ["1", "2"].map((code) =>
        description(
          code,
          label,
          rounds[0]?.forward.verdicts[row],
          text(rows[WORDS[code]][row]),
          text(rows.writers[row]?.[code - 1]),
        ),
      ),
    ),
    rounds.map((round, i) =>
      el("div", { class: "answers" }, rounds.length > 1 && el("h4", {}, `Round ${i + 1}`), answers(round, row, text)),
    ),
    el(
      "details",
      { open: !one },
      el("summary", {}, "All verdicts on this pair"),
      verdictTable(report, pairs, filter.dataset, row, label, select),
    ),
  );
}

function badges(label, round, row) {
  const made = [label !== "-" && el("span", { class: "tag people" }, `people: ${WORDS[label]}`)];
  if (round) {
    const [forward, exchanged] = ORDERS.map((order) => round[order].verdicts[row]);
    const agrees = label === "-" || forward === "-" ? "" : forward === label ? " \u2713" : " \u2715";
    made.push(el("span", { class: "tag judged" }, `judge: ${WORDS[forward]}${agrees}`));
    if ("12s".includes(forward) && "12s".includes(exchanged) && forward !== TURNED[exchanged])
      made.push(el("span", { class: "tag warn" }, "flipped"));
  }
  return el("p", { class: "badges" }, made);
}

function description(code, label, verdict, text, writer) {
  const words = text === null ? 0 : text.split(/\s+/).filter(Boolean).length;
  return el(
    "section",
    { class: `text${label === code ? " preferred" : ""}${verdict === code ? " chosen" : ""}` },
    el(
      "h4",
      {},
      WORDS[code],
      el("small", {}, text !== null && plural(words, "word"), writer && [" by ", said(writer)]),
    ),
    el(
      "p",
      { class: "marks" },
      label === code && el("span", { class: "tag people" }, "people preferred this"),
      verdict === code && el("span", { class: "tag judged" }, "judge chose this"),
    ),
    text === null
      ? el("p", { class: "lead" }, "The transcripts of the run hold the texts; this page was made without them.")
      : said(text, "div"),
  );
}

/** Steps that both orders share stand once; then each order's own, the last of which is the answer. */
function answers(round, row, text) {
  const [forward, exchanged] = ORDERS.map((order) => round[order].steps[row] ?? []);
  let shared = 0;
  while (shared + 2 < Math.min(forward.length, exchanged.length) && forward[shared + 1] === exchanged[shared + 1])
    shared += 2;
  return [
    shared > 0 && el("div", { class: "shared" }, told(forward.slice(0, shared), text, false)),
    el(
      "div",
      { class: "grid two" },
      ORDERS.map((order) => {
        const [verdict, steps] = [round[order].verdicts[row], round[order].steps[row] ?? []];
        const asked = order === "forward" ? "Asked a1, a2" : "Asked a2, a1";
        return el(
          "section",
          {},
          el("h4", {}, `${asked} \u2192 ${outcome(order, verdict)}`),
          margin(round[order], row) ?? told(steps.slice(shared), text, true),
        );
      }),
    ),
  ];
}

/** What a verdict was weighed by, where it was: the judge said nothing. */
function margin({ margins, confidence }, row) {
  const nats = margins?.[row] ?? null;
  if (nats === null) return null;
  const sure = confidence?.[row] ?? null;
  return el("p", {}, `${signed(nats)} nats for the first`, sure !== null && `; confidence ${percent(sure)}%`);
}

const signed = (value) => `${value > 0 ? "+" : ""}${value.toPrecision(3)}`.replace("-", "\u2212");

/** The verdict on the texts as the data set names them, whichever stood first. */
function outcome(order, verdict) {
  return order === "exchanged" && "12".includes(verdict)
    ? `${WORDS[TURNED[verdict]]} (said ${WORDS[verdict]})`
    : WORDS[verdict];
}

function told(steps, text, ends) {
  const made = [];
  for (let i = 0; i < steps.length; i += 2) {
    const last = ends && i + 2 >= steps.length;
    made.push(
      el("h5", {}, last ? "Answer" : (STEPS[text(steps[i])] ?? text(steps[i]))),
      said(text(steps[i + 1]), "div"),
    );
  }
  return made;
}

function verdictTable(report, pairs, dataset, row, label, select) {
  const cases = everyCase(report).filter((one) => one.dataset === dataset && pairs.cases[one.id]);
  const weighed = cases.some((one) => marginsOf(pairs, one.id));
  const lines = cases
    .map((one) => {
      const round = pairs.cases[one.id][0];
      const [forward, exchanged] = ORDERS.map((order) => round[order].verdicts[row]);
      const how = pairs.provenances[round.forward.provenances[row]] ?? DASH;
      return [
        el("button", { type: "button", class: "link", click: () => select(one.id) }, judge(one)),
        WORDS[forward],
        label === "-" ? "" : forward === label ? "\u2713" : "\u2715",
        outcome("exchanged", exchanged),
        "12s".includes(forward) && "12s".includes(exchanged) && forward !== TURNED[exchanged] ? "flipped" : "",
        how,
        weighed && number(round.forward.margins?.[row] == null ? "" : signed(round.forward.margins[row])),
      ].slice(0, weighed ? 7 : 6);
    });
  return table(
    `Verdicts on row ${row + 1}`,
    ["Judge", "Verdict", label === "-" ? "" : "As people", "When exchanged", "", "Answer was", number("Margin")].slice(
      0,
      weighed ? 7 : 6,
    ),
    lines,
  );
}
