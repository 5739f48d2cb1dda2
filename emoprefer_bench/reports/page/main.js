// Everything in its place, the pairs last.

const TITLES = {
  failed: "Failed",
  scores: "Scores",
  consistency: "Consistency",
  agreement: "Agreement",
  together: "Judges",
  answers: "Answers",
  shortcuts: "Shortcuts",
  faults: "Faults",
  confidence: "Confidence",
  slices: "Slices",
  time: "Time",
  gates: "Gates",
  pairs: "Pairs",
  run: "Run",
};

function start() {
  const report = JSON.parse(document.getElementById("report").textContent);
  const browser = pairsSection(report);
  const sections = [
    failedSection(report),
    scoresSection(report),
    againstSwapSection(report),
    agreementSection(report, browser.show),
    togetherSection(report, browser.show),
    provenanceSection(report),
    shortcutsSection(report),
    faultsSection(report),
    weighingSection(report),
    slicesSection(report),
    timeSection(report),
    gatesSection(report),
    browser.box,
    manifestSection(report),
  ].filter(Boolean);
  document.getElementById("about").append(...about(report));
  document
    .getElementById("sections")
    .append(...sections.map(({ id }) => el("li", {}, el("a", { href: `#${id}` }, TITLES[id]))));
  document.getElementById("main").replaceChildren(...sections);
  theme(document.getElementById("theme"));
  document.addEventListener("DOMContentLoaded", () => requestAnimationFrame(() => setTimeout(browser.load)));
}

function about(report) {
  const ran = report.cases.filter((one) => one.scores);
  const [controls, judges] = [ran.filter(isControl), ran.filter((one) => !isControl(one))];
  const made = new Date(report.manifest.created);
  const when = Number.isNaN(made.valueOf())
    ? ""
    : made.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
  const parts = [
    when && `${when} UTC`,
    `${plural(unique(judges.map((one) => one.model)).length, "model")} in ${plural(judges.length, "case")} beside ${plural(controls.length, "control")}`,
    plural(Object.keys(report.datasets).length, "data set"),
    report.manifest.rounds && plural(report.manifest.rounds, "round"),
  ];
  return [
    parts.filter(Boolean).join(" \u00b7 "),
    " ",
    el("span", { class: report.complete ? "tag" : "tag warn" }, report.complete ? "complete" : "incomplete"),
  ];
}

/** The button names what it changes to; before it is used, the system's choice holds. */
function theme(button) {
  const root = document.documentElement;
  const dark = () =>
    (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => {
    button.textContent = dark() ? "Light" : "Dark";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
}

start();
