"""What GitHub shows of a run beside its log: a summary in Markdown, and one annotation for the worst that happened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import is_scored
from emoprefer_bench.printable import printable

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document


def publish(document: Document, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Append the summary to the file that GitHub names, if any; returns the lines to print, if any.

    Only a run inside GitHub Actions has GITHUB_STEP_SUMMARY and GITHUB_ACTIONS.
    """
    lines = []
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        try:
            append_summary(document, Path(path))
        except OSError as error:
            lines.append(f"{path}: can't write the summary ({error.strerror})")
    if environment.get("GITHUB_ACTIONS") == "true" and (line := annotation(document)):
        lines.append(line)
    return lines


def append_summary(document: Document, path: Path) -> None:
    """Append the tables and what the gates said. Raises OSError."""
    from emoprefer_bench.reports import findings, markdown  # noqa: PLC0415  # only where a summary is wanted

    judged = [case for case in document["cases"] if is_scored(case)]
    notes = [
        *findings.against_controls(judged),
        *findings.audit(judged),
        *findings.pulled(judged),
        *findings.gate_lines(document["cases"]),
    ]
    text = markdown.render(document) + "".join(f"- {markdown.escaped(note)}\n" for note in notes)
    with path.open("a", encoding="utf-8") as file:
        file.write(text + "\n")


def annotation(document: Document) -> str | None:
    """One `::error` line for the failed gate with the largest drop (or, where nothing dropped, the first); or None."""
    failed = [
        decision
        for case in document["cases"]
        for decision in case.get("gate") or ()
        if decision["outcome"] == "fail" or (decision["outcome"] == "inconclusive" and case.get("outcome") == "failed")
    ]
    if not failed:
        return None
    worst = max(failed, key=lambda decision: decision.get("drop") or 0.0)
    return f"::error title=emoprefer_bench::{_escaped(worst['message'])}"


def _escaped(message: str) -> str:
    return printable(message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))
