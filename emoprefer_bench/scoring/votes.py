"""Votes: the majority over a judge's rounds, over its two orders, and over judges, each as a case of a report.

A draw goes to one of the labels that most votes are for, by a coin that falls for each row in the same way in every run
(`RULE`). That is how the reference's reading counts it; read strictly, a verdict by a coin is none, and a vote says how
many of its verdicts were drawn. An unread verdict is no vote; where nobody votes, the verdict stays unread.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from emoprefer_bench.document.cases import ended, is_fitted, is_weighed, result
from emoprefer_bench.pairs import EXCHANGED, LABELS
from emoprefer_bench.scoring import case, slices
from emoprefer_bench.scoring.comparisons import Rows, rounds_of
from emoprefer_bench.scoring.controls import CONTROLS
from emoprefer_bench.verdicts import Provenance, Verdicts

if TYPE_CHECKING:
    from emoprefer_bench.cases import NamedCase
    from emoprefer_bench.document.types import Dataset, Engine, Engines, RoundVerdicts, Scored, ScoredCase, Vote
    from emoprefer_bench.pairs import Label

    Ballots = Sequence[Label | None]
    Over = Literal["rounds", "orders", "models"]

SEED = 0
RULE = f"a draw goes to the label at SHA-256('{SEED}:' + row digest) mod (labels drawn), in the order a1, a2, same"


def cases_of(cases: Iterable[ScoredCase], datasets: Mapping[str, Dataset]) -> list[ScoredCase]:
    """Every vote that the complete cases of a report give: over rounds where there are several, orders, and judges.

    Only judges vote: no controls, no variants. Judges vote together on a data set, prompt by prompt and by modality.
    What was weighed is the same in every round and both orders, and needs no vote over these.
    """
    voters = [voter for voter in cases if voter["complete"] and not voter.get("variant") and not _only_reads(voter)]
    together: dict[tuple[str | None, ...], list[ScoredCase]] = defaultdict(list)
    for voter in voters:
        together[voter["dataset"], voter["prompt"], voter["modality"]].append(voter)
    return [
        *(_over_rounds(voter, datasets) for voter in voters if len(voter["verdicts"]) > 1 and not is_weighed(voter)),
        *(_over_orders(voter, datasets) for voter in voters if not is_weighed(voter)),
        *(_over_models(judges, datasets) for judges in together.values() if len(judges) > 1),
    ]


def _only_reads(voter: ScoredCase) -> bool:
    return voter["model"] in CONTROLS or is_fitted(voter)


class Election(NamedTuple):
    """What a row's votes come to; `drawn` where a coin had to choose."""

    label: Label | None
    drawn: bool = False


def majority(ballots: Ballots, digest: str) -> Election:
    """The label that most ballots are for; a draw by `RULE`, None where there is no ballot."""
    counts = Counter(ballot for ballot in ballots if ballot)
    if not counts:
        return Election(None)
    most = max(counts.values())
    level = [label for label in LABELS if counts[label] == most]
    coin = int(hashlib.sha256(f"{SEED}:{digest}".encode()).hexdigest(), 16)
    return Election(level[coin % len(level)], drawn=len(level) > 1)


def _over_rounds(voter: ScoredCase, datasets: Mapping[str, Dataset]) -> ScoredCase:
    dataset = datasets[voter["dataset"]]
    return _case("rounds", voter["model"], [voter], dataset, [_elected(rounds_of(voter, dataset["rows"]), dataset)])


def _over_models(judges: list[ScoredCase], datasets: Mapping[str, Dataset]) -> ScoredCase:
    dataset = datasets[judges[0]["dataset"]]
    rounds = zip(*(rounds_of(judge, dataset["rows"]) for judge in judges), strict=False)  # the rounds that all have
    return _case("models", "vote", judges, dataset, [_elected(of_round, dataset) for of_round in rounds])


def _over_orders(voter: ScoredCase, datasets: Mapping[str, Dataset]) -> ScoredCase:
    """Both orders become one verdict on the texts: the vote is consistent under exchange by construction."""
    dataset = datasets[voter["dataset"]]
    rounds = [_elected([of_round, _exchanged(of_round)], dataset) for of_round in rounds_of(voter, dataset["rows"])]
    return _case("orders", voter["model"], [voter], dataset, rounds)


def _exchanged(of_round: Verdicts) -> Verdicts:
    """The verdicts on the exchanged pairs as verdicts on the pairs, and the other way round."""
    orders = (of_round.exchanged, of_round.forward, of_round.exchanged_reference, of_round.forward_reference)
    return Verdicts(*([_back(verdict) for verdict in verdicts] for verdicts in orders))


def _back(verdict: Label | None) -> Label | None:
    return EXCHANGED[verdict] if verdict else None


class Elected(NamedTuple):
    """The verdicts of a vote, and how many of them (read strictly, in both orders) a coin drew."""

    verdicts: Verdicts
    drawn: int


def _elected(voters: Sequence[Verdicts], dataset: Dataset) -> Elected:
    """The majority of several verdicts on each row, in both orders and both readings.

    Verdicts on the exchanged pair are turned back for the count, so that a draw falls to the same text in both orders.
    """
    digests = dataset["row_digests"]

    def elect(votes: Iterable[Ballots], *, turn: bool = False) -> list[Election]:
        rows = ([_back(ballot) if turn else ballot for ballot in row] for row in zip(*votes, strict=True))
        elections = [majority(row, digest) for row, digest in zip(rows, digests, strict=True)]
        return [Election(_back(election.label), election.drawn) for election in elections] if turn else elections

    forward, exchanged = (elect(v.forward for v in voters), elect((v.exchanged for v in voters), turn=True))
    verdicts = Verdicts(
        forward=[None if row.drawn else row.label for row in forward],
        exchanged=[None if row.drawn else row.label for row in exchanged],
        forward_reference=[row.label for row in elect(v.forward_reference for v in voters)],
        exchanged_reference=[row.label for row in elect((v.exchanged_reference for v in voters), turn=True)],
    )
    return Elected(verdicts, sum(row.drawn for row in (*forward, *exchanged)))


def _case(over: Over, model: str, of: list[ScoredCase], dataset: Dataset, elected: list[Elected]) -> ScoredCase:
    first, variant = of[0], f"{over}-vote"
    rounds = [of_round.verdicts for of_round in elected]
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
        "pulls": {},
        "of_ceiling": None,
        "subsets": slices.of_dataset(dataset, rows, rounds),
    }
    engines: Engines = {"judge": _engine(over, model, of), "llm": None}
    vote: Vote = {
        "over": over,
        "of": [voter["id"] for voter in of],
        "verdicts": 2 * len(rounds) * dataset["rows"],
        "drawn": sum(of_round.drawn for of_round in elected),
    }
    made = ended(result(named, scores, verdicts, engines, complete=True), "passed")
    return cast("ScoredCase", {**made, "vote": vote})


def _engine(over: Over, model: str, of: list[ScoredCase]) -> Engine:
    identity = {"engine": "vote", "over": over, "of": [voter["id"] for voter in of], "draws": RULE}
    return {"name": model, "engine": "vote", "identity": identity, "device": None, "sampling": None, "greedy": None}


def _provenances(of_round: RoundVerdicts) -> Iterator[Provenance]:
    return (how for how in (*of_round["forward_provenance"], *of_round["exchanged_provenance"]) if how)


def _written(of_round: Verdicts) -> RoundVerdicts:
    """One round as a report has it; where nobody voted, or a coin did, what was meant is ambiguous."""
    return {
        "forward": list(of_round.forward),
        "forward_reference": list(of_round.forward_reference),
        "forward_provenance": ["parsed" if label else "ambiguous" for label in of_round.forward],
        "exchanged": list(of_round.exchanged),
        "exchanged_reference": list(of_round.exchanged_reference),
        "exchanged_provenance": ["parsed" if label else "ambiguous" for label in of_round.exchanged],
    }
