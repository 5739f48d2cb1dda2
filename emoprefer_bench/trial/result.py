"""A finished (or interrupted) case as the report has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emoprefer_bench.cases import WEIGHS
from emoprefer_bench.document import cases
from emoprefer_bench.scoring.controls import CONTROLS

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Engines, RoundVerdicts, ScoredResult
    from emoprefer_bench.trial.tally import Tally
    from emoprefer_bench.verdicts import Round

FAULTS_SHOWN = 5


def result(tally: Tally, engine: Engines, *, transcript: str | None = None) -> ScoredResult:
    """What a finished (or interrupted) case is to the report: plain JSON types, scores as fractions."""
    from emoprefer_bench.scoring import case as scoring  # noqa: PLC0415  # numpy is loaded when there is something to score

    made = cases.result(
        tally.case.named(),
        scoring.scored(tally.pairs, tally.rounds, control=tally.case.model in CONTROLS),
        [_verdicts(of_round) for of_round in tally.rounds],
        engine,
        complete=tally.complete,
        transcript=transcript,
        costs={
            "questions": {"asked": tally.times.asked, "stored": tally.stored},
            "tokens": dict(sorted(tally.tokens.items())),
            **tally.times.described(),
            "media": dict(sorted(tally.media.items())),
            "faults": dict(sorted(tally.faults.items(), key=lambda fault: (-fault[1], fault[0]))[:FAULTS_SHOWN]),
        },
    )
    if tally.case.prompt in WEIGHS:
        _add_margins(made, tally)
    return made


def _add_margins(made: ScoredResult, tally: Tally) -> None:
    """Add what a case has beside its verdicts where these were weighed. A row is as sure in either order."""
    from emoprefer_bench.scoring import weighing  # noqa: PLC0415  # numpy, as above

    made["weighing"] = weighing.weighing(tally.pairs, tally.rounds[0])
    sure = weighing.confidences(tally.pairs, tally.rounds[0])
    for verdicts, of_round in zip(made["verdicts"], tally.rounds, strict=True):
        for order, readings in (("forward", of_round.forward), ("exchanged", of_round.exchanged)):
            margins = [reading.margin if reading else None for reading in readings]
            columns = {
                f"{order}_margin": margins,
                f"{order}_weights": [list(reading.weights) or None if reading else None for reading in readings],
                f"{order}_confidence": [
                    None if margin is None else confidence for margin, confidence in zip(margins, sure, strict=True)
                ],
            }
            verdicts.update(cast("RoundVerdicts", columns))


def _verdicts(of_round: Round) -> RoundVerdicts:
    forward, exchanged = of_round.forward, of_round.exchanged
    return {
        "forward": [reading.label if reading else None for reading in forward],
        "forward_reference": [reading.reference if reading else None for reading in forward],
        "forward_provenance": [reading.provenance if reading else None for reading in forward],
        "exchanged": [reading.label if reading else None for reading in exchanged],
        "exchanged_reference": [reading.reference if reading else None for reading in exchanged],
        "exchanged_provenance": [reading.provenance if reading else None for reading in exchanged],
    }
