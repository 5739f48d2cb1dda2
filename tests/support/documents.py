"""Documents made of thin air, each valid by the schema. Run as a script, it writes the golden files anew."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import jsonschema

from emoprefer_bench import prompts
from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document import files, schema
from emoprefer_bench.pairs import EXCHANGED, Clip, Pair
from emoprefer_bench.reports import csv_table, latex, markdown
from emoprefer_bench.trial.result import result
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import Reading, Round

GOLDEN = Path(__file__).parents[1] / "golden"
FORMS = {"tex": latex, "md": markdown, "csv": csv_table}
READINGS = {"a1": "a1", "a2": "a2", "same": "same", "?": None}
ENGINE = {
    "judge": {"name": "judge", "engine": "fake", "device": None, "identity": {}, "sampling": None, "greedy": True},
    "llm": None,
}


def toy_pairs(labels=("a1", "a2", "a1", "a2", "same", "a1"), *, writers=None) -> list[Pair]:
    """Pairs on half as many clips, with these labels; `writers` name the two writers of each."""
    clips = [Clip(f"clip{number}", digest=f"{number:064}") for number in range((len(labels) + 1) // 2)]
    writers = writers or [(None, None)] * len(labels)
    return [
        Pair(f"{row:05}:{clips[row // 2].name}", clips[row // 2], f"text {row}", f"other, {row}", label, *writers[row])
        for row, label in enumerate(labels)
    ]


def reading(word: str | None) -> Reading | None:
    """`?` is an answer that can't be read, though the reference reads a1; None is no answer."""
    if word is None:
        return None
    label = READINGS[word]
    return Reading(label, "parsed" if label else "ambiguous", label or "a1")


def case(named: Case, pairs: list[Pair], *rounds: list[str], outcome="passed", reason=None, **more) -> dict:
    """A case of a document. Each round is its forward verdicts; the exchanged pairs get the exchanged ones."""
    tally = Tally.empty(named, pairs, len(rounds))
    for number, words in enumerate(rounds):
        tally.rounds[number] = Round(
            [reading(word) for word in words], [reading(EXCHANGED.get(word, word)) for word in words]
        )
    return {**result(tally, ENGINE), "outcome": outcome, "reason": reason, **more}


def without_scores(named: Case, outcome: str, reason: str) -> dict:
    """A case that did not run."""
    return {**named.named(), "complete": False, "outcome": outcome, "reason": reason}


def report(cases_: list[dict], *datasets: Dataset) -> dict:
    """A document of these cases, valid by the schema."""
    manifest = files.manifest(["benchmarks"], prompts.load(prompts.DEFAULT).described(), rounds=1, limit=None)
    built = files.build(cases_, {dataset.name: dataset.described() for dataset in datasets}, manifest)
    return valid(json.loads(json.dumps(built, allow_nan=False)))


def valid(found: dict) -> dict:
    """The document itself, if it is one by the schema."""
    written = json.loads(schema.FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(written)
    jsonschema.Draft202012Validator(written).validate(found)
    return found


def golden() -> dict:
    """A report with every kind of case that there is, on one data set."""
    return json.loads(_golden())


@functools.cache
def _golden() -> str:
    pairs = toy_pairs()

    def of(model: str, prompt="S1", modality="audiovideo") -> Case:
        return Case(model, prompt, "toy", modality)

    built = report(
        [
            case(
                of("qwen25omni_7b"), pairs, ["a1", "a1", "a2", "a2", "same", "a1"], ["a1", "a2", "a2", "a2", "a1", "a1"]
            ),
            case(
                of("qwen25omni_7b", "S2"),
                pairs,
                ["a1", "a2", "a1", "a2", "a1", "?"],
                ["a1", "a2", "a1", "a2", "a1", "a1"],
            ),
            case(of("qwen2_audio", modality="audio"), pairs, ["a2", "a2", "same", "?", "a1", "a1"]),
            case(of("gpt_4o", modality="video"), pairs, ["a1", "a2", "a1", "a1", "a1", "a2"], closed=True),
            case(of("gemini_15", modality="video+subtitle"), pairs, ["a1"] * 6, closed=True),
            case(of(r"50%_of {x} & <b>|y|</b> \# $1 ~^"), pairs, ["a1", "a2", "same", "a2", "same", "a1"]),
            case(of("killed"), pairs, ["a1", "a2", None, None, None, None], outcome="interrupted"),
            case(Case("gpt_4o", "S1", "toy", "text", variant="blind"), pairs, ["a1", "a2", "a1", "a2", "a1", "a1"]),
            case(of("longer", "direct", None), pairs, ["a1", "a2", "a1", "a2", "a1", "a1"]),
            case(
                of("dropped", "S3"),
                pairs,
                ["a2", "a1", "a2", "a1", "a1", "a2"],
                outcome="failed",
                reason="waf2 fell\nto 0",
            ),
            without_scores(of("broken"), "error", "its weights | are <gone>"),
            without_scores(of("large", "S1"), "skipped", "large needs 8 GPUs, of which 0 can be seen here"),
            without_scores(of("large", "S2"), "skipped", "large needs 8 GPUs, of which 0 can be seen here"),
        ],
        Dataset("toy", pairs),
    )
    return json.dumps(built)


def _rewrite() -> None:
    GOLDEN.mkdir(exist_ok=True)
    built = golden()
    built["manifest"] |= {"platform": "Linux", "packages": {}, "python": "3.11.0", "processors": 2}
    built["manifest"]["created"] = "2026-01-01T00:00:00+00:00"
    text = json.dumps(built, indent=1, ensure_ascii=False)
    (GOLDEN / "report.json").write_text(re.sub(r"\[[^\[\]{}]*\]", _on_one_line, text) + "\n", encoding="utf-8")
    for suffix, form in FORMS.items():
        (GOLDEN / f"report.{suffix}").write_text(form.render(built), encoding="utf-8", newline="")


def _on_one_line(found: re.Match[str]) -> str:
    return re.sub(r"\s*\n\s*", " ", found[0]).replace("[ ", "[").replace(" ]", "]")


if __name__ == "__main__":
    _rewrite()
