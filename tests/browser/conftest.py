"""A real browser without a window, and what a page did in it that it should not have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright
from support import describers, documents
from support.runs import a_hostile_run, a_run, golden, prefers_longer, some_pairs, told
from support.weighed import rows, weighing, world

from emoprefer_bench.cases import Case
from emoprefer_bench.reports import html
from emoprefer_bench.scoring import fusion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

QUIET = [
    "--no-sandbox",  # tests run as root where CI does
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Tab:
    """A page that is open, everything it asked for, and every complaint about it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path) -> Tab:
        """Open a file, and wait until its pairs are there."""
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#pairs:not([aria-busy])")
        return self

    def unsound(self) -> list[str]:
        """What no page may do: errors, messages on the console, dialogs, violations of its policy."""
        return [*self.complaints, *self.page.evaluate("window.violations")]

    def filter(self, name: str) -> Locator:
        """The control of the pair browser with this label."""
        return self.page.locator(".filters").get_by_label(name, exact=True)

    def choose(self, name: str, option: str) -> None:
        """Choose from a filter as people do."""
        self.filter(name).select_option(label=option)

    def found(self) -> str:
        """How many pairs the browser of pairs says there are."""
        return self.page.locator("#pairs [role=status]").inner_text().partition(" pairs")[0]

    def pair(self, row: int) -> Locator:
        """The article of a row."""
        return self.page.locator(".pair").filter(has=self.page.locator(f"#pair-{row}"))

    def rows(self) -> list[int]:
        """The rows that are shown."""
        return [int(words.split()[1]) for words in self.page.locator(".pair > header h3 small").all_inner_texts()]


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Pages of several runs, by name."""
    folder = tmp_path_factory.mktemp("pages")
    runs = {"plain": a_run(folder / "plain"), "hostile": a_hostile_run(folder / "hostile")}
    rounds = {Case("judge", "S2", "toy", "video"): prefers_longer}
    runs["rounds"] = told(folder / "rounds", some_pairs(4), rounds, rounds=2)
    labels, margins = world(0, noise=1)
    dataset = rows("toy", labels)
    judges = [weighing(f"judge{number}", dataset, column) for number, column in enumerate(margins)]
    fused, _ = fusion.cases_of(judges, {"toy": dataset.described()})
    runs["weighed"] = documents.report([*judges, *fused], dataset)
    runs["crossed"] = describers.crossed_run()
    for name, document in runs.items():
        html.write(document, folder / f"{name}.html", folder / name / "transcripts")
    html.write(golden(), folder / "golden.html")
    html.write(documents.report([]), folder / "empty.html")
    return lambda name: folder / f"{name}.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium where it is installed, or else Playwright's own; closed with the module, as it holds a loop."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A fresh tab, wide and light, that may fetch nothing from a network."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="light", offline=True)
    context.add_init_script(WATCH)
    context.set_default_timeout(10_000)
    opened = Tab(context.new_page())
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("dialog", lambda dialog: (opened.complaints.append(dialog.message), dialog.dismiss()))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    yield opened
    context.close()
