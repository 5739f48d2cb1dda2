"""What is said of judges that weigh: what their margins follow, and how far they can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emoprefer_bench.cases import VARIANTS
from emoprefer_bench.document.cases import is_scored
from emoprefer_bench.reports.numbers import interval, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoprefer_bench.document.types import Calibration, Estimate, Fusion, ReportedCase, ScoredCase, Weighing

COIN = 0.25  # the Brier score of who always says one half


def sentences(cases: Sequence[ReportedCase]) -> list[str]:
    """For each judge that weighs, and for those fused, a few lines; the audit's variants have theirs in other forms."""
    return [
        f"{case['id']}: {sentence}"
        for case in cases
        if is_scored(case) and case.get("variant") not in VARIANTS
        for sentence in _of_case(case)
    ]


def _of_case(case: ScoredCase) -> list[str]:
    if weighing := case.get("weighing"):
        return _sentences(weighing)
    return _how_fused(fusion) if (fusion := case.get("fusion")) else []


def _how_fused(fusion: Fusion) -> list[str]:
    """On what judges were fused, which, and what the probabilities are worth."""
    weights = sorted(fusion["weights"].items(), key=lambda judge: -judge[1])
    chosen = [f"{name} {weight:.3g}" for name, weight in weights if weight > 0]
    judged = fusion["judged"]
    how = f"fitted on what people said of {fusion['clips']} clips of {fusion['on']}, each clip judged by the others"
    return [
        f"{how}; weights: {', '.join(chosen) or 'none above 0'}",
        *([f"Brier {_plain(judged['brier'])} ({COIN} by a coin)"] if judged else []),
    ]


def estimates(case: ReportedCase) -> dict[str, Estimate]:
    """The numbers that a case has beside its scores because its verdicts were weighed, by name."""
    weighing = case.get("weighing") if is_scored(case) else None
    if not weighing:
        return {}
    parts = {
        "length": weighing["length"],
        "slot_bias": weighing.get("slot_bias"),
        "swap_before": weighing.get("swap_before"),
        "mass": weighing.get("mass"),
    }
    if calibration := weighing["calibration"]:
        parts["brier"], parts["brier_as_is"] = calibration["brier"], calibration["brier_as_is"]
        parts["log_loss"], parts["log_loss_as_is"] = calibration["log_loss"], calibration["log_loss_as_is"]
    return {name: estimate for name, estimate in parts.items() if estimate}


def _sentences(weighing: Weighing) -> list[str]:
    lines = []
    bias, agreed, mass = weighing.get("slot_bias"), weighing.get("swap_before"), weighing.get("mass")
    if bias and agreed and mass:
        lines.append(
            f"before averaging, the first slot is worth {_signed(bias, ' nats')}, and {_percent(agreed)} of rows are "
            f"consistent; the next word is a1, a2 or same with {_percent(mass)}"
        )
    if length := weighing["length"]:
        lines.append(f"margins go with the difference in words by r = {_signed(length)}")
    if calibration := weighing["calibration"]:
        lines += _believed(calibration)
    return lines


def _believed(calibration: Calibration) -> list[str]:
    """How far the margins can be believed, in a line or two."""
    brier, as_is = calibration["brier"], calibration["brier_as_is"]
    scores = f"Brier {_plain(brier)} ({as_is['value']:.3f} as it is, {COIN} by a coin)"
    if not calibration["evident"]:
        return [f"no evidence: on {calibration['clips']} clips, its margins can't be told from noise; {scores}"]
    lines = [f"calibrated on other clips, T = {calibration['temperature']:.3g} nats: {scores}"]
    loss, error = calibration["log_loss"], calibration["error"]
    if loss and error:
        lines.append(
            f"log loss {_plain(loss, ' nats')}; calibration error {error['value']:.3f}, where true probabilities would "
            f"show {error['perfect']:.3f}, and under {error['perfect_most']:.3f} in 95% of samples"
        )
    return lines


def _signed(estimate: Estimate, unit: str = "") -> str:
    bounds = estimate["interval"]
    return f"{estimate['value']:+z.2f}{unit}" + (f" [{bounds[0]:+z.2f}, {bounds[1]:+z.2f}]" if bounds else "")


def _plain(estimate: Estimate, unit: str = "") -> str:
    bounds = estimate["interval"]
    return f"{estimate['value']:.3f}{unit}" + (f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")


def _percent(estimate: Estimate) -> str:
    bounds = estimate["interval"]
    return f"{percent(estimate['value'])}%" + (f" {interval(bounds, estimate['value'])}" if bounds else "")
