"""A report whose every string is hostile, in every form."""

from __future__ import annotations

import csv
import json
import re

import pytest
from support.documents import golden

from emoprefer_bench.cli.main import main
from emoprefer_bench.document.reading import DocumentError, read

# A clipboard set by OSC 52, a command to CI at the start of a line, LaTeX that runs a program, a picture that runs one.
HOSTILE = "\x1b]52;c;aGk=\x07\x9b2J\n::add-mask::x\r\\write18{touch x}<img src=x onerror=alert(1)>|`$("


def spoilt(name: str) -> dict:
    """The golden report with a hostile text wherever a case has one that readers see."""
    document = golden()
    for case in document["cases"]:
        case["reason"] = HOSTILE
        case[name] = f"={HOSTILE}" if name != "reason" else HOSTILE
        for decision in case.get("gate", []):
            decision["message"] = HOSTILE
    return document


def written(tmp_path, document):
    """The report in a file."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["model", "llm", "id"])
def test_a_name_with_a_line_break_is_refused(tmp_path, name, capsys):
    """In one line, which has no control character itself."""
    path = written(tmp_path, spoilt(name))
    with pytest.raises(DocumentError, match=f"the {name} of a case has a line break"):
        read(path)
    assert main(["report", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert not set(said) & set("\x1b\x07\x9b\r")


def test_no_control_character_reaches_a_terminal(tmp_path, capsys):
    """Whatever reasons and messages hold."""
    assert main(["report", str(written(tmp_path, spoilt("reason"))), "-v"]) == 0
    said = capsys.readouterr().out
    assert "1 error: \N{REPLACEMENT CHARACTER}]52;c;aGk=" in said
    assert not set(said) & set("\x1b\x07\x9b\r")


def test_names_are_escaped_in_latex_markdown_and_csv(tmp_path):
    """A model called like a command is a name in every form."""
    document = golden()
    for case in document["cases"]:
        case["model"] = r"=\input{x}<img src=x>"
    path = written(tmp_path, document)
    forms = {form: tmp_path / f"report.{form}" for form in ("latex", "markdown", "csv")}
    assert (
        main(["report", str(path), *(word for form, file in forms.items() for word in (f"--{form}", str(file)))]) == 0
    )
    assert r"\input" not in forms["latex"].read_text()
    assert not re.search(r"(?<!\\)<img", forms["markdown"].read_text())
    models = {row["model"] for row in csv.DictReader(forms["csv"].read_text().splitlines())}
    assert models == {r"'=\input{x}<img src=x>"}
