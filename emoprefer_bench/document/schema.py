"""The JSON schema of a report, made from its types: `python -m emoprefer_bench.document.schema` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from emoprefer_bench.document import types
from emoprefer_bench.document.cases import METRICS
from emoprefer_bench.document.files import SCHEMA
from emoprefer_bench.document.reading import PARTS

FILE = Path(__file__).with_name("report.schema.json")


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a report, made from the types."""
    kinds = (types.Manifest, types.Dataset, types.ScoredCase, types.UnscoredCase)
    references, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    parts["ScoredCase"]["properties"]["scores"]["required"] = list(METRICS)
    parts["UnscoredCase"]["properties"]["complete"] = {"const": False}  # which no literal type can say
    parts["Dataset"]["properties"]["keys"]["uniqueItems"] = True  # likewise
    manifest, dataset, scored, unscored = references
    properties = {
        "schema": {"const": SCHEMA},
        "complete": {"type": "boolean"},
        "manifest": manifest,
        "datasets": {"type": "object", "additionalProperties": dataset},
        "cases": {"type": "array", "items": {"if": {"required": ["scores"]}, "then": scored, "else": unscored}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report of emoprefer_bench",
        "description": " ".join((types.Document.__doc__ or "").split()),
        "type": "object",
        "required": list(PARTS),
        "properties": properties,
        "$defs": {name: _tidy(part) for name, part in sorted(parts.items())},
    }


def text() -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _tidy(part: dict[str, Any]) -> dict[str, Any]:
    """Put descriptions on one line: docstrings are wrapped."""
    return {**part, "description": " ".join(part["description"].split())} if "description" in part else part


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
