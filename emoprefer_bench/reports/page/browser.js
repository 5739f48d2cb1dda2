// The browser of pairs: a filter, a page of pairs, and the way to the next.

const PAGE = 10;

/** The section, and `show(filter)`, which sets the filter and goes there. Pairs are read once everything else is drawn. */
function pairsSection(report) {
  const status = el("p", { role: "status", class: "lead" }, "Reading the pairs\u2026");
  const [form, list, pager] = [
    el("div", {}),
    el("div", { class: "pairs" }),
    el("nav", { class: "pager", "aria-label": "Pages of pairs" }),
  ];
  const box = section("pairs", "Pairs", null, form, status, list, pager);
  box.setAttribute("aria-busy", "true");
  let [pairs, filter, rows, page] = [null, null, [], 0];

  function apply(wanted) {
    filter = wanted;
    if (document.activeElement?.type !== "search") renewForm();
    rows = chosen(pairs, report, filter);
    turn(0);
  }

  /** What can be chosen depends on what was; whoever stands on a control stays there. */
  function renewForm() {
    const controls = () => [...form.querySelectorAll("select, input, button")];
    const focused = controls().indexOf(document.activeElement);
    form.replaceChildren(filterForm(report, pairs, filter, (changes) => apply({ ...filter, ...changes })));
    controls()[focused]?.focus();
  }

  function turn(to) {
    page = to;
    const shown = rows.slice(page * PAGE, (page + 1) * PAGE);
    const all = pairs.datasets[filter.dataset].keys.length;
    const which = shown.length ? `; showing ${page * PAGE + 1}${DASH}${page * PAGE + shown.length}` : "";
    status.textContent = `${count(rows.length)} of ${plural(all, "pair")}${which}`;
    list.replaceChildren(
      ...shown.map((row) =>
        pairCard(report, pairs, filter, row, (id) =>
          apply({ ...filter, judge: id, other: filter.other === id ? ANY : filter.other }),
        ),
      ),
    );
    const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1);
    const step = (words, target, off) =>
      el(
        "button",
        {
          type: "button",
          disabled: off,
          click: () => {
            turn(target);
            box.scrollIntoView();
            box.focus({ preventScroll: true });
          },
        },
        words,
      );
    pager.replaceChildren(
      step("Previous", page - 1, page === 0),
      el("span", {}, `Page ${page + 1} of ${last + 1}`),
      step("Next", page + 1, page >= last),
    );
  }

  function show(wanted) {
    if (!pairs) return;
    apply({ ...EVERYTHING, ...wanted });
    box.scrollIntoView();
    box.focus({ preventScroll: true });
  }

  async function load() {
    pairs = await readPairs();
    const best = bestCase(report);
    const dataset = best?.dataset ?? Object.keys(pairs.datasets)[0];
    if (dataset === undefined) status.textContent = "No case was run, so there are no pairs.";
    else apply({ ...EVERYTHING, dataset, judge: best?.id ?? ANY });
    box.removeAttribute("aria-busy");
  }
  return { box, show, load };
}
