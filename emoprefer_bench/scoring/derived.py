"""Cases of a report that no test runs, since nothing is asked for them: the fitted controls, and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.document.cases import FITTED, result
from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.scoring import case, ceiling, controls, dawid_skene, shortcuts
from emoprefer_bench.scoring.counts import group_numbers
from emoprefer_bench.verdicts import Reading, Round, Verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.cases import Modality, NamedCase
    from emoprefer_bench.document.types import Engines, RoundVerdicts, ScoredResult
    from emoprefer_bench.pairs import Label, Pair


PEOPLE = "people"


def cases_of(dataset: str, pairs: Sequence[Pair]) -> list[ScoredResult]:
    """The fitted controls that the pairs of a data set allow, and what most of the other people said, as cases."""
    said = controls.verdicts(pairs)
    design, labels = shortcuts.design_of(pairs), shortcuts.signs([pair.label for pair in pairs])
    clips = group_numbers([pair.clip.name for pair in pairs])
    cases = []
    for name in (name for name in shortcuts.ABOUT if name in said):
        fitted = shortcuts.FITTED.get(name)
        widened = shortcuts.widening(fitted, design, labels, clips) if fitted else 1.0
        named = _named(name, dataset, None, None)
        cases.append(_case(named, FITTED, shortcuts.ABOUT[name], pairs, said[name], widened=widened))
    by_people = (
        ("majority", ceiling.majority, "what most of the other people said of the pair; same where they are level"),
        ("dawid_skene", dawid_skene.consensus, "what other people said, weighed by how reliable they are"),
    )
    for name, rule, about in by_people if ceiling.ceiling(pairs) else ():
        others = rule(pairs)
        if not any(others):
            continue
        back = [EXCHANGED[label] if label else None for label in others]
        voted = Verdicts(others, back, others, back)
        people = _case(_named(name, dataset, "audiovideo", PEOPLE), PEOPLE, about, pairs, voted)
        if beside := people.get("of_ceiling"):
            beside["alternative"] = None  # they can't stand in for one another: they know the labels that count
        cases.append(people)
    return cases


def _named(name: str, dataset: str, modality: Modality | None, variant: str | None) -> NamedCase:
    return {
        "id": "-".join(filter(None, (name, dataset, variant))),
        "model": name,
        "prompt": None,
        "dataset": dataset,
        "modality": modality,
        "llm": None,
        "variant": variant,
        "closed": False,
    }


def _case(
    named: NamedCase, engine: str, about: str, pairs: Sequence[Pair], said: Verdicts, *, widened: float = 1.0
) -> ScoredResult:
    name = named["model"]
    engines: Engines = {
        "judge": {
            "name": name,
            "engine": engine,
            "device": None,
            "identity": {"engine": engine, "name": name, "folds": shortcuts.FOLDS},
            "sampling": None,
            "greedy": True,
            "about": about,
        },
        "llm": None,
    }
    readings = Round(*([_reading(label) for label in order] for order in (said.forward, said.exchanged)))
    scores = case.scored(list(pairs), [readings], control=True, widened=widened)
    return result(named, scores, [_written(said)], engines, complete=True)


def _reading(label: Label | None) -> Reading | None:
    return Reading(label, "parsed", label) if label else None


def _written(said: Verdicts) -> RoundVerdicts:
    return {
        "forward": list(said.forward),
        "forward_reference": list(said.forward),
        "forward_provenance": ["parsed" if label else None for label in said.forward],
        "exchanged": list(said.exchanged),
        "exchanged_reference": list(said.exchanged),
        "exchanged_provenance": ["parsed" if label else None for label in said.exchanged],
    }
