from __future__ import annotations

import hashlib

import pytest

from emoprefer_bench import prompts
from emoprefer_bench.prompts import PromptPackError

TEMPLATES = ("subtitle", "judge", "describe", "judge_described", "compare", "reason", "conclude")


def write(tmp_path, **changes):
    """A pack file whose templates are their own names, but for the changes; None leaves one out."""
    table = {"name": "mine", **{name: f"{name}: {{a1}} {{a2}}" for name in TEMPLATES}, **changes}
    lines = [
        f"{name} = {value!r}" if "\n" not in value else f"{name} = '''{value}'''"
        for name, value in table.items()
        if value
    ]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    return path


def test_our_own_pack_has_every_template_and_asks_for_the_labels():
    """Each question that wants a verdict names the three words it may be answered with."""
    pack = prompts.load()
    for template in ("judge", "judge_described", "compare", "conclude"):
        last = getattr(pack, template).rstrip().splitlines()[-2:]
        assert all(word in " ".join(last) for word in ("a1", "a2", "same")), template
    assert "{description}" in pack.judge_described
    assert "{reasoning}" in pack.conclude
    assert "{a1}" not in pack.describe


def test_whatever_stands_in_a_description_arrives_to_the_byte():
    """Braces, quotes, newlines, runs of blanks and field names in a text are text."""
    pack = prompts.load()
    hostile = 'He said: "{a2}"  and\n\n\t{description} {} {0} %s $a1 \\n \N{PARTY POPPER}'
    asked = pack.render("judge", a1=hostile, a2="{a1}")
    assert f"Description a1: {hostile}\n" in asked
    assert "Description a2: {a1}\n" in asked


def test_a_template_keeps_its_own_braces_newlines_and_blanks(tmp_path):
    """Another wording fits a pack to the byte, JSON examples included."""
    wording = 'Answer as {"answer": "..."}  \n\n  a1: {a1}\t{unknown}\n'
    pack = prompts.load(write(tmp_path, judge=wording))
    assert pack.render("judge", a1="x", a2="y") == 'Answer as {"answer": "..."}  \n\n  a1: x\t{unknown}\n'


def test_a_field_that_a_question_has_no_value_for_stays(tmp_path):
    """A description is asked for before there are texts to fill in."""
    pack = prompts.load(write(tmp_path, describe="Describe {a1}"))
    assert pack.render("describe") == "Describe {a1}"


def test_the_digest_is_that_of_the_file(tmp_path):
    """Two files with the same name and another wording are told apart."""
    path = write(tmp_path)
    assert prompts.load(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"judge": None, "reason": None}, "has no 'judge'; has no 'reason'"),
        ({"extra": "x"}, "has 'extra', which is not a template"),
    ],
)
def test_a_pack_with_faults_names_all_of_them(tmp_path, changes, message):
    """One message says which file and every fault in it."""
    with pytest.raises(PromptPackError, match=message) as raised:
        prompts.load(write(tmp_path, **changes))
    assert "mine.toml" in str(raised.value)


def test_a_pack_that_is_no_text_no_toml_or_not_there_is_said_to_be_so(tmp_path):
    """Each of the ways in which a file can be unusable."""
    path = write(tmp_path)
    path.write_text(path.read_text().replace("judge = ", "judge = 3 # "))
    with pytest.raises(PromptPackError, match="'judge' that is not text"):
        prompts.load(path)
    path.write_text("judge = ")
    with pytest.raises(PromptPackError, match="not valid TOML"):
        prompts.load(path)
    path.write_bytes(b"judge = '\xff'")
    with pytest.raises(PromptPackError, match="not valid TOML"):
        prompts.load(path)
    with pytest.raises(PromptPackError, match="can't read the prompt pack"):
        prompts.load(tmp_path / "nothing.toml")
