"""docs/architecture.md draws the house as it is."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "emoprefer_bench"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _named():
    """The files that the table of rooms names, as paths in the package."""
    table = PAGE.split("## The rooms\n")[1].split("\n## ")[0]
    named = set()
    for room, files in re.findall(r"^\| (\S+|\(no room\)) \| .*? \| (.*) \|$", table, re.MULTILINE):
        folder = room.strip("`") if room.startswith("`") else ""
        named |= {folder + file for file in re.findall(r"`([a-z0-9_.]+\.[a-z]+)`", files)}
    return named


def test_every_module_has_its_place_in_the_table_and_every_place_is_a_module():
    """A file that is added, moved or removed is added, moved or removed there."""
    skipped = ("__init__.py", "__main__.py")
    there = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if file.name not in skipped}
    named = _named()
    assert there - named == set()
    assert {file for file in named if not (PACKAGE / file).is_file()} == set()


def test_every_file_that_the_page_speaks_of_exists():
    """The way of a run can be followed file by file."""
    for file in set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", PAGE)):
        assert (ROOT / file).is_file() or (PACKAGE / file).is_file(), file


def test_the_drawing_has_the_floors_of_the_contract():
    """The picture and what import-linter checks are one order of rooms."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    height = {room: -floor for floor, layer in enumerate(layers) for room in re.findall(r"\w+", layer)}
    drawing = PAGE.split("```text\n")[1].split("```")[0]
    floors = [re.findall(r"[a-z]+", line.split("|")[1]) for line in drawing.splitlines()]
    drawn = {room: -floor for floor, rooms in enumerate(floors) for room in rooms}
    assert drawn.keys() == height.keys()
    wrong = [
        (upper, lower)
        for (upper, above), (lower, below) in itertools.permutations(drawn.items(), 2)
        if above > below and height[upper] < height[lower]
    ]
    assert wrong == []


def test_every_room_of_the_package_has_tests_beside_it():
    """tests/<room>/ is where the tests of a room are looked for."""
    rooms = {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")} - {"prompts"}
    assert {room for room in rooms if not (ROOT / "tests" / room).is_dir()} == set()
