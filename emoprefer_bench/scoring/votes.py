"""Votes: the majority over a judge's rounds, over its two orders, and over judges, each as a case of a report.

A draw goes to one of the labels that most votes are for, by a coin that falls for each row in the same way in every run
(`RULE`). An unread verdict is no vote; where nobody votes, the verdict stays unread.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from emoprefer_bench.pairs import EXCHANGED, LABELS
from emoprefer_bench.plugin.controls import CONTROLS
from emoprefer_bench.scoring import case as scoring
from emoprefer_bench.scoring.comparisons import Rows, rounds_of
from emoprefer_bench.scoring.counts import Verdicts

if TYPE_CHECKING:
    from emoprefer_bench.pairs import Label

    Case = dict[str, Any]
    Ballots = Sequence[Label | None]

ORDERS = ("forward", "exchanged")
SEED = 0
RULE = f"a draw goes to the label at SHA-256('{SEED}:' + row digest) mod (labels drawn), in the order a1, a2, same"


def cases_of(cases: Iterable[Case], datasets: dict[str, dict[str, Any]]) -> list[Case]:
    """Every vote that the complete cases of a report give: over rounds where there are several, orders, and judges.

    Only judges vote: no controls, no variants. Judges vote together on a data set, prompt by prompt and by modality.
    """
    voters = [case for case in cases if case["complete"] and not case["variant"] and case["model"] not in CONTROLS]
    together: dict[tuple[str | None, ...], list[Case]] = defaultdict(list)
    for case in voters:
        together[case["dataset"], case["prompt"], case["modality"]].append(case)
    return [
        *(_over_rounds(case, datasets) for case in voters if len(case["verdicts"]) > 1),
        *(_over_orders(case, datasets) for case in voters),
        *(_over_models(judges, datasets) for judges in together.values() if len(judges) > 1),
    ]


def majority(ballots: Ballots, digest: str) -> Label | None:
    """The label that most ballots are for; a draw by `RULE`, None where there is no ballot."""
    counts = Counter(ballot for ballot in ballots if ballot)
    if not counts:
        return None
    most = max(counts.values())
    drawn = [label for label in LABELS if counts[label] == most]
    coin = int(hashlib.sha256(f"{SEED}:{digest}".encode()).hexdigest(), 16)
    return drawn[coin % len(drawn)]


def _over_rounds(case: Case, datasets: dict[str, dict[str, Any]]) -> Case:
    dataset = datasets[case["dataset"]]
    return _case("rounds", case["model"], [case], dataset, [_elected(rounds_of(case, dataset["rows"]), dataset)])


def _over_models(judges: list[Case], datasets: dict[str, dict[str, Any]]) -> Case:
    dataset = datasets[judges[0]["dataset"]]
    rounds = zip(*(rounds_of(case, dataset["rows"]) for case in judges), strict=False)  # the rounds that all have
    return _case("models", "vote", judges, dataset, [_elected(one, dataset) for one in rounds])


def _over_orders(case: Case, datasets: dict[str, dict[str, Any]]) -> Case:
    """Both orders become one verdict on the texts: the vote is consistent under exchange by construction."""
    dataset = datasets[case["dataset"]]
    rounds = rounds_of(case, dataset["rows"])
    return _case(
        "orders", case["model"], [case], dataset, [_elected([one, _exchanged(one)], dataset) for one in rounds]
    )


def _exchanged(one: Verdicts) -> Verdicts:
    """The verdicts on the exchanged pairs as verdicts on the pairs, and the other way round."""
    orders = (one.exchanged, one.forward, one.exchanged_reference, one.forward_reference)
    return Verdicts(*([_back(verdict) for verdict in verdicts] for verdicts in orders))


def _back(verdict: Label | None) -> Label | None:
    return EXCHANGED[verdict] if verdict else None


def _elected(voters: Sequence[Verdicts], dataset: dict[str, Any]) -> Verdicts:
    """The majority of several verdicts on each row, in both orders and both readings.

    Verdicts on the exchanged pair are turned back for the count, so that a draw falls to the same text in both orders.
    """
    digests = dataset["row_digests"]

    def elect(votes: Iterator[Ballots], *, turn: bool = False) -> list[Label | None]:
        ballots = zip(*votes, strict=True)
        if not turn:
            return [majority(row, digest) for row, digest in zip(ballots, digests, strict=True)]
        back = ([_back(ballot) for ballot in row] for row in ballots)
        return [_back(majority(row, digest)) for row, digest in zip(back, digests, strict=True)]

    return Verdicts(
        forward=elect(one.forward for one in voters),
        exchanged=elect((one.exchanged for one in voters), turn=True),
        forward_reference=elect(one.forward_reference for one in voters),
        exchanged_reference=elect((one.exchanged_reference for one in voters), turn=True),
    )


def _case(over: str, model: str, of: list[Case], dataset: dict[str, Any], rounds: list[Verdicts]) -> Case:
    first, variant = of[0], f"{over}-vote"
    rows = Rows.of(dataset)
    identity = {"engine": "vote", "over": over, "of": [case["id"] for case in of], "draws": RULE}
    unnamed = {"device": None, "sampling": None, "greedy": None}
    verdicts = [_written(one) for one in rounds]
    return {
        **{name: first[name] for name in ("prompt", "dataset", "modality")},
        "id": "-".join(part for part in (model, first["prompt"], first["dataset"], variant) if part),
        "model": model,
        "llm": None,
        "variant": variant,
        "complete": True,
        "outcome": "passed",
        "reason": None,
        "transcript": None,
        "engine": {"judge": {"name": model, "engine": "vote", "identity": identity, **unnamed}, "llm": None},
        **scoring.measured(rows.labels, rows.clips, rounds),
        "provenance": dict(Counter(p for one in verdicts for order in ORDERS for p in one[f"{order}_provenance"])),
        "verdicts": verdicts,
        "questions": {"asked": 0, "stored": 0},
        **{name: {} for name in ("tokens", "seconds", "media", "faults")},
        "comparisons": [],
    }


def _written(one: Verdicts) -> dict[str, list[Any]]:
    """One round as a report has it; where nobody voted, what was meant is ambiguous."""
    written: dict[str, list[Any]] = {}
    for order in ORDERS:
        labels = list(getattr(one, order))
        written[order] = labels
        written[f"{order}_reference"] = list(getattr(one, f"{order}_reference"))
        written[f"{order}_provenance"] = ["parsed" if label else "ambiguous" for label in labels]
    return written
