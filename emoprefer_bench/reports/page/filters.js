// Reading the packed pairs, and choosing among them.

const CODES = ["1", "2", "s", "-"];
const WORDS = { 1: "a1", 2: "a2", s: "same", "-": "unread", ".": "not asked" };
const TURNED = { 1: "2", 2: "1", s: "s", "-": "-", ".": "." };
const ORDERS = ["forward", "exchanged"];
const ANY = "";
const EVERYTHING = {
  judge: ANY,
  label: ANY,
  forward: ANY,
  exchanged: ANY,
  how: ANY,
  order: ANY,
  people: ANY,
  other: ANY,
  search: "",
  sort: ANY,
};

/** The packs in turn: JSON, deflated, in base64. Each is dropped once read, for it is large. */
async function unpack(element) {
  const packed = atob(element.textContent);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = packed.charCodeAt(i);
  element.remove();
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

async function readPairs() {
  const [first, ...others] = document.querySelectorAll("script.pack");
  const pairs = await unpack(first);
  pairs.texts = [];
  for (const one of others) pairs.texts.push(...(await unpack(one)));
  return pairs;
}

/** The rows of a data set that a filter leaves, as numbers. */
function chosen(pairs, report, filter) {
  const rows = pairs.datasets[filter.dataset];
  const rounds = (id) => pairs.cases[id] ?? [];
  const judges = filter.judge
    ? [filter.judge]
    : everyCase(report).filter((one) => one.dataset === filter.dataset).map((one) => one.id);
  const among = judges.flatMap((id) => (id === filter.other ? [] : rounds(id)));
  const other = filter.other ? rounds(filter.other)[0] : null;
  const found = filter.search ? search(pairs, rows, judges.flatMap(rounds), filter.search) : null;
  const missed = filter.people === MISSED ? new Set(missedIn(report, filter.dataset)) : null;
  const judged =
    [filter.forward, filter.exchanged, filter.how, filter.order, filter.other].some(Boolean) || (filter.people && !missed);
  const left = rows.keys
    .map((_, row) => row)
    .filter(
      (row) =>
        (!missed || missed.has(row)) &&
        (!filter.label || rows.labels[row] === filter.label) &&
        (!found || found(row)) &&
        (!judged || among.some((one) => fits(filter, one, row, rows.labels[row], other))),
    );
  return sorted(left, marginsOf(pairs, filter.judge), filter.sort);
}

const MISSED = "missed";
const missedIn = (report, dataset) => report.together[dataset]?.missed?.rows ?? [];

const marginsOf = (pairs, judge) => pairs.cases[judge]?.[0].forward.margins ?? null;
const SORTS = {
  surest: ["greatest margin first", (margin) => -Math.abs(margin)],
  unsure: ["smallest margin first", (margin) => Math.abs(margin)],
  first: ["from a1 to a2", (margin) => -margin],
};

/** Rows by their margins, those without one last. */
function sorted(rows, margins, by) {
  if (!margins || !SORTS[by]) return rows;
  const place = (row) => (margins[row] === null ? Infinity : SORTS[by][1](margins[row]));
  return rows.toSorted((one, other) => place(one) - place(other) || one - other);
}

function fits(filter, one, row, label, other) {
  const [forward, exchanged] = ORDERS.map((order) => one[order].verdicts[row]);
  const read = forward !== "-" && forward !== ".";
  const position = {
    consistent: forward === TURNED[exchanged] && read,
    flipped: forward !== TURNED[exchanged] && read && "12s".includes(exchanged),
  };
  const people = { agrees: read && forward === label, disagrees: read && label !== "-" && forward !== label };
  const apart = () => read && "12s".includes(other.forward.verdicts[row]) && other.forward.verdicts[row] !== forward;
  return (
    (!filter.forward || forward === filter.forward) &&
    (!filter.exchanged || exchanged === filter.exchanged) &&
    (!filter.how || ORDERS.some((order) => one[order].provenances[row] === filter.how)) &&
    (!filter.order || position[filter.order]) &&
    (!filter.people || filter.people === MISSED || people[filter.people]) &&
    (!other || apart())
  );
}

/** A test for rows in which a text, an answer or the name holds the words. Every distinct text is looked at once. */
function search(pairs, rows, rounds, words) {
  const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
  const hits = pairs.texts.map((text) => pattern.test(text));
  const answers = (steps, row) => steps[row]?.some((text, i) => i % 2 && hits[text]);
  return (row) =>
    pattern.test(pairs.clips[rows.clips[row]].name) ||
    ["a1", "a2", "subtitle"].some((column) => hits[rows[column][row]]) ||
    rounds.some((one) => ORDERS.some((order) => answers(one[order].steps, row)));
}

/** The controls of the browser. `changed` is called with what changes of the filter. */
function filterForm(report, pairs, filter, changed) {
  const cases = everyCase(report).filter((one) => one.dataset === filter.dataset && pairs.cases[one.id]);
  const judges = cases.map((one) => [one.id, nameOf(one)]);
  const pick = (key, words, options) =>
    choice(words, [[ANY, "any"], ...options], filter[key], (value) => changed({ [key]: value }));
  const verdicts = CODES.map((code) => [code, WORDS[code]]);
  const known = /[12s]/.test(pairs.datasets[filter.dataset].labels);
  const present = new Set(
    cases.flatMap((one) =>
      pairs.cases[one.id].flatMap((round) => ORDERS.flatMap((order) => [...round[order].provenances])),
    ),
  );
  const box = el("input", {
    type: "search",
    value: filter.search,
    placeholder: "in texts and answers",
    input: () => later(() => changed({ search: box.value })),
  });
  return el(
    "form",
    { class: "controls filters", "aria-label": "Filter pairs", submit: (event) => event.preventDefault() },
    choice(
      "Data set",
      Object.keys(pairs.datasets).map((name) => [name, name]),
      filter.dataset,
      (dataset) => changed({ ...EVERYTHING, dataset }),
    ),
    pick("judge", "Judge", judges),
    known && pick("label", "People said", verdicts.slice(0, 3)),
    pick("forward", "Verdict", verdicts),
    pick("exchanged", "Verdict when exchanged", verdicts),
    pick("order", "Exchanging the texts", [
      ["consistent", "changes nothing"],
      ["flipped", "flips the choice"],
    ]),
    known &&
      pick("people", "With people", [
        ["agrees", "agrees"],
        ["disagrees", "disagrees"],
        ...(missedIn(report, filter.dataset).length ? [[MISSED, "no judge agrees"]] : []),
      ]),
    pick(
      "other",
      "Disagrees with",
      judges.filter(([id]) => id !== filter.judge),
    ),
    pick(
      "how",
      "Answer was",
      pairs.provenances.map((how, i) => [String(i), how]).filter(([code]) => present.has(code)),
    ),
    marginsOf(pairs, filter.judge) &&
      choice(
        "Order of pairs",
        [[ANY, "as in the data set"], ...Object.entries(SORTS).map(([key, [words]]) => [key, words])],
        filter.sort,
        (sort) => changed({ sort }),
      ),
    labelled("Search", box),
    el("button", { type: "button", class: "quiet", click: () => changed(EVERYTHING) }, "Clear"),
  );
}

let waiting;

function later(act) {
  clearTimeout(waiting);
  waiting = setTimeout(act, 250);
}
