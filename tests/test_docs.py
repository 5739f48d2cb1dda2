"""The pages of docs/: the site has all of them, and what they show runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from emoprefer_bench.plugin import loggers, options

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_the_site_has_every_page_once():
    """A page that is added is added to the site's list, and to its first page."""
    nav = re.findall(r"^  - ([a-z-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(nav) == sorted(page.name for page in DOCS.glob("*.md"))
    linked = set(re.findall(r"\]\(([a-z-]+\.md)\)", (DOCS / "index.md").read_text()))
    assert linked == {*nav} - {"index.md"}


class Links(HTMLParser):
    """What a page leads to or loads, and the places in it that can be led to."""

    def __init__(self, page):
        super().__init__()
        self.to, self.loads, self.places = [], [], {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        """Called for each tag."""
        given = dict(attributes)
        loads = tag == "link" or "src" in given
        if link := given.get("src") or given.get("href"):
            (self.loads if loads else self.to).append(link)
        self.places |= {given.get("id"), given.get("name")}


def test_the_site_is_built_and_every_link_in_it_leads_somewhere(tmp_path):
    """Without a warning. Files of the repository that pages link to are in it; it loads nothing from elsewhere."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    pages = {page: Links(page) for page in site.glob("*.html") if page.name != "404.html"}
    assert {page.stem for page in pages} == {page.stem for page in DOCS.glob("*.md")}
    inside = 0
    for page, links in pages.items():
        assert not [link for link in links.loads if urlsplit(link).netloc]
        for link in (*links.to, *links.loads):
            parts = urlsplit(link)
            if not (parts.scheme or parts.netloc):
                target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
                assert target.is_file(), f"{page.name} links to {link}"
                if target in pages:
                    assert unquote(parts.fragment) in pages[target].places, f"{page.name} links to {link}"
                inside += 1
    assert inside > 500
    assert (site / "repository/emoprefer_bench/protocol/worker.py").read_bytes() == (
        ROOT / "emoprefer_bench/protocol/worker.py"
    ).read_bytes()


@pytest.mark.parametrize("page", sorted(page.name for page in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page):
    """To a file that is there."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), target


def test_what_the_page_on_reports_shows_runs(bench, monkeypatch, capsys):
    """On a run's own folder, as it stands there; and every column of a transcript is explained."""
    page = (DOCS / "reports.md").read_text()
    bench.run("-k", "toy and (judge or longer)")
    monkeypatch.chdir(bench.pytester.path)
    capsys.readouterr()
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "reports.md", "exec"), names)  # noqa: S102  # what a reader would type
    folder = bench.pytester.path / ".emoprefer"
    assert names["log"](json.loads((folder / "report.json").read_bytes()), folder) == f"scores: {folder / 'scores.txt'}"
    assert "longer-toy 1.0\n" in (folder / "scores.txt").read_text()
    shown = capsys.readouterr().out
    assert "longer-toy" in shown
    assert "00001:c1" not in shown  # a judge that says a1 has it right
    table = page.split("| column | what it holds |")[1].split("\n\n")[0]
    explained = {
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    lines = pd.read_json(".emoprefer/transcripts/judge-S2-toy.jsonl", lines=True)
    assert set(lines.columns) == explained


def test_a_logger_is_declared_in_the_group_that_is_looked_into():
    """As the page on reports shows it."""
    (block,) = re.findall(r"```toml\n(.*?)```", (DOCS / "reports.md").read_text(), re.DOTALL)
    assert set(tomllib.loads(block)["project"]["entry-points"]) == {loggers.GROUP}


def test_the_page_for_users_of_the_reference_names_options_and_models_that_there_are():
    """What it says to type here can be typed."""
    page = (DOCS / "from-the-reference.md").read_text()
    known = set(re.findall(r"--emoprefer-[a-z-]+", Path(options.__file__).read_text()))
    known |= {f"--emoprefer-{form}" for form in ("html", "markdown", "latex", "csv", "predictions")}
    assert set(re.findall(r"--emoprefer-[a-z-]+", page)) <= known
    models = set(re.findall(r"^def (\w+)\(gpus", (ROOT / "conftest.py").read_text(), re.MULTILINE))
    named = set(re.findall(r"\| `pytest benchmarks -k (\w+)` \|", page))
    assert named
    assert named <= models
