"""How often 95% intervals hold the truth: the one that is used, and others that were tried."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.worlds import Regime, true_scores, worlds

from emoprefer_bench.scoring.intervals import _leave_out, over_rounds, score_interval, student
from emoprefer_bench.scoring.statistics import NormalDist

METRICS = ("acc2", "waf2", "waf3", "swap")
DRAWS = 500
FEW = 20  # clips, up to which the slowest method is tried
SPREAD = 0.02  # a single truth on few rows is lucky or unlucky by which counts there are, so it is drawn around
NORMAL = NormalDist()
Bounds = tuple[float, float]
Method = Callable[[np.ndarray, str, np.random.Generator], Bounds]


def used(by_clip: np.ndarray, metric: str, _: np.random.Generator) -> Bounds:
    """Wilson, t, on as many rows as the clips are worth."""
    return score_interval(by_clip, metric) or (math.nan, math.nan)


def on_scale(to: Callable[[float], float], back: Callable[[float], float], slope: Callable[[float], float]) -> Method:
    """Student's t with the jackknife's variance on another scale; a point where there is none."""

    def bounds(by_clip: np.ndarray, metric: str, _: np.random.Generator) -> Bounds:
        left = _leave_out(by_clip, metric, over_rounds)
        if left is None or not 0 < left.value < 1:
            return (left.value, left.value) if left else (math.nan, math.nan)
        half = student(0.975, left.clips - 1) * math.sqrt(left.variance) * slope(left.value)
        return back(to(left.value) - half), back(to(left.value) + half)

    return bounds


def resampled(by_clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add up as many clips as there are, drawn with replacement."""
    times = rng.multinomial(len(by_clip), np.full(len(by_clip), 1 / len(by_clip)), DRAWS).astype(np.float32)
    return (times @ by_clip.reshape(len(by_clip), -1)).reshape(DRAWS, *by_clip.shape[1:])


def expanded_percentile(by_clip: np.ndarray, metric: str, rng: np.random.Generator) -> Bounds:
    """Quantiles of the bootstrap, further out by Student's t (Hesterberg 2015): what version 0.1 used."""
    clips, drawn = len(by_clip), over_rounds(resampled(by_clip, rng), metric)
    tail = NORMAL.cdf(-student(0.975, clips - 1) * math.sqrt(clips / (clips - 1)))
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def bca(by_clip: np.ndarray, metric: str, rng: np.random.Generator) -> Bounds:
    """Bias corrected and accelerated (Efron 1987), further out by Student's t."""
    left = _leave_out(by_clip, metric, over_rounds)
    drawn = over_rounds(resampled(by_clip, rng), metric)
    drawn = drawn[~np.isnan(drawn)]
    if left is None or not left.variance:
        return float(drawn[0]), float(drawn[0])
    under = (np.sum(drawn < left.value) + np.sum(drawn == left.value) / 2) / len(drawn)
    bias = NORMAL.inv_cdf(min(max(under, 1e-4), 1 - 1e-4))
    skew = -(left.times @ left.deviations**3) / (6 * (left.times @ left.deviations**2) ** 1.5)
    reach = student(0.975, left.clips - 1) * math.sqrt(left.clips / (left.clips - 1))
    at = [NORMAL.cdf(bias + (bias + z) / (1 - skew * (bias + z))) for z in (-reach, reach)]
    low, high = np.quantile(drawn, at)
    return float(low), float(high)


def studentised(by_clip: np.ndarray, metric: str, rng: np.random.Generator) -> Bounds:
    """The bootstrap of t on the logit, each draw with a variance of its own; a point where there is none."""
    left = _leave_out(by_clip, metric, over_rounds)
    if left is None or not left.variance or not 0 < left.value < 1:
        return (left.value, left.value) if left else (math.nan, math.nan)
    times = rng.multinomial(len(by_clip), np.full(len(by_clip), 1 / len(by_clip)), DRAWS)
    totals = (times @ by_clip.reshape(len(by_clip), -1)).reshape(DRAWS, *by_clip.shape[1:])
    values = over_rounds(totals, metric)
    nudged = over_rounds(totals[:, None] + 1e-5 * by_clip, metric)
    variance = (times * ((nudged - values[:, None]) / 1e-5) ** 2).sum(1)
    good = (values > 0) & (values < 1) & (variance > 1e-12)
    values, variance = values[good], variance[good]
    t = (_logit(values) - _logit(left.value)) * values * (1 - values) / np.sqrt(variance)
    error = math.sqrt(left.variance) / (left.value * (1 - left.value))
    low, high = np.quantile(t, [0.975, 0.025])
    return _expit(_logit(left.value) - low * error), _expit(_logit(left.value) - high * error)


def _logit(share: float) -> float:
    return np.log(share / (1 - share))


def _expit(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


CLOSED = {
    "Wilson, clips": used,
    "t, logit": on_scale(_logit, _expit, lambda share: 1 / (share * (1 - share))),
    "t, arcsine": on_scale(
        lambda share: math.asin(math.sqrt(share)),
        lambda angle: math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2,
        lambda share: 1 / (2 * math.sqrt(share * (1 - share))),
    ),
    "t": on_scale(lambda share: share, lambda share: share, lambda share: 1.0),
}
DRAWN = {"percentile, expanded": expanded_percentile, "BCa": bca, "bootstrap-t, logit": studentised}
SHOWN = [
    Regime(20, "48 on 20", 0.87, 0.0),
    Regime(20, "48 on 20", 0.87, 0.2),
    Regime(20, "48 on 20", 0.87, 0.5),
    Regime(30, "1", 0.67, 0.0),
    Regime(30, "1-3", 0.95, 0.2),
    Regime(50, "1-3", 0.87, 0.3),
    Regime(100, "1", 0.95, 0.0),
    Regime(100, "1-3", 0.67, 0.3),
]


def grid() -> Iterator[Regime]:
    """Every regime that the interval that is used was tried in."""
    for clips, truth in itertools.product((20, 30, 50, 100, 200, 500), (0.5, 0.67, 0.8, 0.87, 0.95)):
        yield Regime(clips, "1", truth, 0.0)
        yield from (Regime(clips, "1-3", truth, alike) for alike in (0.0, 0.2, 0.5))


def misses(
    method: Method, regime: Regime, sets: int, metrics: tuple[str, ...] = METRICS, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """The shares of data sets whose interval lies above and below the truth, and its mean width, by metric."""
    rng = np.random.default_rng(seed)
    truths = regime.truth + rng.uniform(-SPREAD, SPREAD, sets)
    expected = {metric: true_scores(regime, truths, metric) for metric in metrics}
    bounds: dict[str, list[Bounds]] = {metric: [] for metric in metrics}
    for truth in truths:
        (by_clip,) = worlds(rng, regime, np.array([truth]))
        for metric in metrics:
            bounds[metric].append(method(by_clip, metric, rng))
    found = {}
    for metric in metrics:
        low, high = np.array(bounds[metric]).T
        above, below = np.mean(low > expected[metric] + 1e-9), np.mean(high < expected[metric] - 1e-9)
        found[metric] = float(above), float(below), float(np.mean(high - low))
    return found


def main(sets: int = 4_000) -> None:
    """Print two tables: all methods in a few regimes, and the one that is used in all of them."""
    print(f"percent of {sets} data sets (a quarter for what draws) whose interval holds the truth: acc2, waf2\n")
    methods = CLOSED | DRAWN
    print("| clips | rows a clip | truth | alike |", " | ".join(methods), "|")
    print("|---|---|---|---|" + "---|" * len(methods))
    for regime in SHOWN:
        cells = []
        for name, method in methods.items():
            if method is studentised and regime.clips > FEW:
                cells.append("-")
                continue
            found = misses(method, regime, sets if name in CLOSED else sets // 4, ("acc2", "waf2"))
            cells.append(", ".join(f"{100 * (1 - above - below):.1f}" for above, below, _ in found.values()))
        print(
            f"| {regime.clips} | {regime.rows} | {regime.truth} | {regime.alike} |", " | ".join(cells), "|", flush=True
        )
    print(f"\nthe one that is used, {len(METRICS)} metrics, {sets // 4} data sets a regime\n")
    print("| clips | coverage: mean | least | most | truth above: mean | most | truth below: mean | most |")
    print("|---|---|---|---|---|---|---|---|")
    for clips, regimes in itertools.groupby(grid(), key=lambda regime: regime.clips):
        found = np.array(
            [list(misses(used, regime, sets // 4, seed=seed).values()) for seed, regime in enumerate(regimes)]
        ).reshape(-1, 3)
        above, below = 100 * found[:, 0], 100 * found[:, 1]
        held = 100 - above - below
        numbers = (held.mean(), held.min(), held.max(), below.mean(), below.max(), above.mean(), above.max())
        print(f"| {clips} |", " | ".join(f"{number:.1f}" for number in numbers), "|", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
