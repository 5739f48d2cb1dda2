"""Votes: the majority over a judge's rounds, over its two orders, and over judges, each as a case of a report.

A draw goes to one of the labels that most votes are for, by a coin that falls for each row in the same way in every run
(`RULE`). An unread verdict is no vote; where nobody votes, the verdict stays unread.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from emoprefer_bench.document.cases import ended, result
from emoprefer_bench.pairs import EXCHANGED, LABELS
from emoprefer_bench.scoring import case
from emoprefer_bench.scoring.comparisons import Rows, rounds_of
from emoprefer_bench.scoring.controls import CONTROLS
from emoprefer_bench.verdicts import Provenance, Verdicts

if TYPE_CHECKING:
    from emoprefer_bench.cases import NamedCase
    from emoprefer_bench.document.types import Dataset, Engine, Engines, RoundVerdicts, Scored, ScoredCase
    from emoprefer_bench.pairs import Label

    Ballots = Sequence[Label | None]

SEED = 0
RULE = f"a draw goes to the label at SHA-256('{SEED}:' + row digest) mod (labels drawn), in the order a1, a2, same"


def cases_of(cases: Iterable[ScoredCase], datasets: Mapping[str, Dataset]) -> list[ScoredCase]:
    """Every vote that the complete cases of a report give: over rounds where there are several, orders, and judges.

    Only judges vote: no controls, no variants. Judges vote together on a data set, prompt by prompt and by modality.
    """
    voters = [
        voter for voter in cases if voter["complete"] and not voter.get("variant") and voter["model"] not in CONTROLS
    ]
    together: dict[tuple[str | None, ...], list[ScoredCase]] = defaultdict(list)
    for voter in voters:
        together[voter["dataset"], voter["prompt"], voter["modality"]].append(voter)
    return [
        *(_over_rounds(voter, datasets) for voter in voters if len(voter["verdicts"]) > 1),
        *(_over_orders(voter, datasets) for voter in voters),
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


def _over_rounds(voter: ScoredCase, datasets: Mapping[str, Dataset]) -> ScoredCase:
    dataset = datasets[voter["dataset"]]
    return _case("rounds", voter["model"], [voter], dataset, [_elected(rounds_of(voter, dataset["rows"]), dataset)])


def _over_models(judges: list[ScoredCase], datasets: Mapping[str, Dataset]) -> ScoredCase:
    dataset = datasets[judges[0]["dataset"]]
    rounds = zip(*(rounds_of(judge, dataset["rows"]) for judge in judges), strict=False)  # the rounds that all have
    return _case("models", "vote", judges, dataset, [_elected(one, dataset) for one in rounds])


def _over_orders(voter: ScoredCase, datasets: Mapping[str, Dataset]) -> ScoredCase:
    """Both orders become one verdict on the texts: the vote is consistent under exchange by construction."""
    dataset = datasets[voter["dataset"]]
    rounds = rounds_of(voter, dataset["rows"])
    return _case(
        "orders", voter["model"], [voter], dataset, [_elected([one, _exchanged(one)], dataset) for one in rounds]
    )


def _exchanged(one: Verdicts) -> Verdicts:
    """The verdicts on the exchanged pairs as verdicts on the pairs, and the other way round."""
    orders = (one.exchanged, one.forward, one.exchanged_reference, one.forward_reference)
    return Verdicts(*([_back(verdict) for verdict in verdicts] for verdicts in orders))


def _back(verdict: Label | None) -> Label | None:
    return EXCHANGED[verdict] if verdict else None


def _elected(voters: Sequence[Verdicts], dataset: Dataset) -> Verdicts:
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


def _case(over: str, model: str, of: list[ScoredCase], dataset: Dataset, rounds: list[Verdicts]) -> ScoredCase:
    first, variant = of[0], f"{over}-vote"
    rows, verdicts = Rows.of(dataset), [_written(of_round) for of_round in rounds]
    provenance: Counter[str] = Counter(how for of_round in verdicts for how in _provenances(of_round))
    named: NamedCase = {
        "id": "-".join(part for part in (model, first["prompt"], first["dataset"], variant) if part),
        "model": model,
        "prompt": first["prompt"],
        "dataset": first["dataset"],
        "modality": first["modality"],
        "llm": None,
        "variant": variant,
    }
    scores: Scored = {
        **case.measured(rows.labels, rows.clips, rounds),
        "provenance": dict(provenance),
        "slices": {},
        "comparisons": [],
    }
    engines: Engines = {"judge": _engine(over, model, of), "llm": None}
    return cast("ScoredCase", ended(result(named, scores, verdicts, engines, complete=True), "passed"))


def _engine(over: str, model: str, of: list[ScoredCase]) -> Engine:
    identity = {"engine": "vote", "over": over, "of": [voter["id"] for voter in of], "draws": RULE}
    return {"name": model, "engine": "vote", "identity": identity, "device": None, "sampling": None, "greedy": None}


def _provenances(of_round: RoundVerdicts) -> Iterator[Provenance]:
    return (how for how in (*of_round["forward_provenance"], *of_round["exchanged_provenance"]) if how)


def _written(of_round: Verdicts) -> RoundVerdicts:
    """One round as a report has it; where nobody voted, what was meant is ambiguous."""
    return {
        "forward": list(of_round.forward),
        "forward_reference": list(of_round.forward_reference),
        "forward_provenance": ["parsed" if label else "ambiguous" for label in of_round.forward],
        "exchanged": list(of_round.exchanged),
        "exchanged_reference": list(of_round.exchanged_reference),
        "exchanged_provenance": ["parsed" if label else "ambiguous" for label in of_round.exchanged],
    }
