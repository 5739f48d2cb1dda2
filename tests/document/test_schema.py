"""The schema that ships with the package, and the types that it is made from."""

from __future__ import annotations

import importlib.resources
import json
import typing

from emoprefer_bench.document import schema, types


def test_the_schema_that_ships_is_the_one_that_the_types_give():
    """After a change of types: python -m emoprefer_bench.document.schema."""
    assert schema.FILE.read_text(encoding="utf-8") == schema.text()


def test_the_schema_is_part_of_the_package():
    """A program that checks reports finds it where the package is installed."""
    there = importlib.resources.files("emoprefer_bench.document") / "report.schema.json"
    assert json.loads(there.read_text(encoding="utf-8"))["title"] == "A report of emoprefer_bench"


def test_every_part_of_a_document_is_described():
    """Whoever reads the schema reads the docstrings of the types."""
    parts = json.loads(schema.FILE.read_text(encoding="utf-8"))["$defs"]
    assert {name for name, part in parts.items() if not part.get("description")} == set()
    hints = typing.get_type_hints(types.ScoredCase, include_extras=True)
    assert set(parts["ScoredCase"]["properties"]) == set(hints)
