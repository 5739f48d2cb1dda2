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


def test_a_pack_can_fold_what_is_filled_in(tmp_path):
    """Newlines and tabs of a text become blanks and its ends are stripped; runs of blanks and the template stay."""
    pack = prompts.load(write(tmp_path, judge="1: {a1}\n\t2: {a2}", whitespace="fold"))
    assert pack.render("judge", a1="\n sad,\n\tangry  and\r tired\t", a2="- glad\n- calm\n") == (
        "1: sad,  angry  and\r tired\n\t2: - glad - calm"
    )


def test_a_pack_keeps_whitespace_unless_it_says_otherwise(tmp_path):
    """Packs from before the option, and those that say "keep", render as they did."""
    kept = prompts.load(write(tmp_path, whitespace="keep"))
    assert kept.render("judge", a1="a\n b\t", a2="") == "judge: a\n b\t "
    assert prompts.load().whitespace == "keep"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a1", "a1"),
        (" Output: a1\n", "a1"),
        ("output : a2", "a2"),
        ("输出\N{FULLWIDTH COLON}same", "same"),
        ("让我们来翻译一下\N{FULLWIDTH COLON}sad", "sad"),
        ("inputOutput: a1", "Output: a1"),
        ("a1 fits.\nThe voice\nis low.", "a1 fits.The voiceis low."),
        ("The output: a1", "The output: a1"),
        ("Outputs differ.", "s differ."),
        ("a1\ttoo\r\n", "a1\ttoo"),
        ("", ""),
    ],
)
def test_flat_answers_are_as_the_papers_code_makes_them(text, expected):
    """Each word goes once and in its order, then a colon, then every newline; nothing takes their place."""
    assert prompts.flattened(text) == expected


def test_our_own_pack_is_the_same_file():
    """Its digest stands in reports and baselines, and its prompts in the key of every answer."""
    assert prompts.load().digest == "1e920bfe21599507f5e117df2200cd6b5007b45236fe76700bd7ee19889178d5"


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
        ({"whitespace": "squeeze"}, "has the whitespace 'squeeze', which is none of keep, fold"),
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
