// Making elements, and turning values into words. Text only ever becomes text: nothing here parses markup.

/** Fill a node: functions listen, `style` sets properties, false and null are left out; children are nodes or text. */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "style") for (const [key, set] of Object.entries(value)) node.style.setProperty(key, set);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false)
      node.append(child instanceof Node ? child : visible(child));
  }
  return node;
}

function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** Text with its control characters as pictures of themselves, so that nothing in it hides. */
function visible(text) {
  return String(text).replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)));
}

/** What somebody wrote: a direction of its own, and marks in it that turn the direction end with it. */
function said(text, name = "bdi") {
  return el(name, { class: "said", dir: "auto" }, text);
}

function section(id, title, lead, ...children) {
  const head = el("h2", { id: `${id}-head` }, title);
  return el(
    "section",
    { id, "aria-labelledby": head.id, tabindex: "-1" },
    head,
    lead && el("p", { class: "lead" }, lead),
    ...children,
  );
}

/** A table of rows of cells; a cell is a child or [attributes, child]. The first cell of a row is its head. */
function table(caption, heads, rows, name = "") {
  const cell = (kind, content, more = {}) => {
    const [attributes, child] = Array.isArray(content) && content[0]?.constructor === Object ? content : [{}, content];
    return el(kind, { ...more, ...attributes }, child);
  };
  const made = el(
    "table",
    { class: name },
    el("caption", {}, caption),
    heads &&
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((head) => cell("th", head, { scope: "col" })),
        ),
      ),
    el(
      "tbody",
      {},
      rows.map((row) =>
        el(
          "tr",
          {},
          row.map((content, i) => (i ? cell("td", content) : cell("th", content, { scope: "row" }))),
        ),
      ),
    ),
  );
  return el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, made);
}

/** A labelled select; options are [value, words]. Calls back with the value. */
function choice(words, options, value, chosen) {
  const select = el(
    "select",
    { change: () => chosen(select.value) },
    options.map(([key, name]) => el("option", { value: key }, name)),
  );
  select.value = value;
  return labelled(words, select);
}

let labels = 0;

function labelled(words, control) {
  labels += 1;
  control.id = `control-${labels}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, words), control);
}

const DASH = "\u2013";
const number = (value) => [{ class: "number" }, value];
const percent = (share, digits = 1) => (share === null || share === undefined ? DASH : (100 * share).toFixed(digits));
const decimal = (value, digits = 2) =>
  value === null || value === undefined
    ? DASH
    : (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "\u2212"); // no negative zero
const range = (interval) => (interval ? `${percent(interval[0])}${DASH}${percent(interval[1])}` : "");
const points = (share) => {
  if (share === null || Number.isNaN(share)) return DASH;
  const shown = decimal(100 * share, 1);
  return shown.startsWith("\u2212") ? shown : `+${shown}`;
};
const count = (value) => Number(value ?? 0).toLocaleString("en");
const chance = (p) => (p === null || p === undefined ? DASH : p < 0.001 ? "< 0.001" : p.toFixed(3));
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const unique = (values) => [...new Set(values)];

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const [minutes, rest] = [Math.floor(seconds / 60), Math.floor(seconds % 60)];
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
