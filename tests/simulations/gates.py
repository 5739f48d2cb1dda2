"""How often gates fail runs without a change, how often they catch a true drop, and whether a baseline can slide."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.worlds import TwoRuns

from emoprefer_bench.scoring.metrics import case_metrics
from emoprefer_bench.scoring.statistics import drop_test, share_of_level

TOLERANCE = 0.02
METRIC = "waf2"


def dropped(runs: TwoRuns) -> float:
    """The drop of a pair of runs."""
    before, after = (case_metrics(runs.labels, run)[METRIC]["mean"] or 0.0 for run in (runs.baseline, runs.current))
    return before - after


def fails(runs: TwoRuns, alpha: float) -> bool:
    """Whether the gate fails. Nothing is drawn where it can't: within the tolerance, and at a p of far over alpha."""
    if dropped(runs) <= TOLERANCE:
        return False
    pair = runs.labels, runs.clips, runs.baseline, runs.current
    rough = drop_test(*pair, metric=METRIC, tolerance=TOLERANCE, alpha=0.01)
    if (rough["p"] or 0.0) > max(0.01, 10 * alpha):
        return False
    return drop_test(*pair, metric=METRIC, tolerance=TOLERANCE, alpha=alpha)["outcome"] == "fail"


def alarms(runs: int, cases: int, flips: float, level: float = 0.01, rows_a_clip: int = 1, seed: int = 0) -> float:
    """The share of runs without any change in which one of the cases, or more, fails."""
    rng, alpha = np.random.default_rng(seed), share_of_level(level, cases)
    alarmed = 0
    for _ in range(runs):
        failed = [fails(TwoRuns(rng, flips=flips, rows_a_clip=rows_a_clip), alpha) for _ in range(cases)]
        alarmed += any(failed)
    return alarmed / runs


def caught(trials: int, cases: int, flips: float, drop: float = 0.05, level: float = 0.01, seed: int = 1) -> float:
    """The share of runs in which the one case of so many that has truly dropped fails."""
    rng, alpha = np.random.default_rng(seed), share_of_level(level, cases)
    return float(np.mean([fails(TwoRuns(rng, flips=flips, drop=drop), alpha) for _ in range(trials)]))


def disagreement(flips: float, trials: int = 50) -> float:
    """The share of rows on which two runs differ where each flips so many by itself."""
    rng = np.random.default_rng(2)
    pairs = [TwoRuns(rng, flips=flips) for _ in range(trials)]
    return float(np.mean([np.not_equal(pair.baseline[0].forward, pair.current[0].forward).mean() for pair in pairs]))


def climbed(histories: int, flips: float, rule: str, runs: int = 9, seed: int = 3) -> tuple[float, float]:
    """Let a judge without a change run against a baseline that each green run may replace, by a `rule`.

    "no fall" takes each run that did not fall, "a rise" only one beyond the tolerance. Returns by how much the baseline
    stands over the truth in the end, and how often one more run fails.
    """
    rng = np.random.default_rng(seed)
    over, failed = [], []
    for _ in range(histories):
        pair = TwoRuns(rng, flips=flips)
        kept = pair.baseline
        for _ in range(runs):
            pair.baseline, pair.current = kept, pair.again(rng)
            if -dropped(pair) >= (TOLERANCE if rule == "a rise" else 0.0):
                kept = pair.current
        pair.baseline, pair.current = kept, pair.again(rng)
        score = case_metrics(pair.labels, kept)[METRIC]["mean"] or 0.0
        over.append(score - np.mean([case_metrics(pair.labels, pair.again(rng))[METRIC]["mean"] for _ in range(20)]))
        failed.append(fails(pair, 0.01))
    return float(np.mean(over)), float(np.mean(failed))


def main(runs: int = 500, trials: int = 200) -> None:
    """Print it all."""
    for flips in (0.0125, 0.025, 0.05):
        print(f"each run flips {flips:.2%} of 574 rows by itself, two differ on {disagreement(flips):.1%} of them")
        for cases, level in ((1, 0.01), (40, 0.01), (40, 0.05)):
            power = caught(trials, cases, flips, level=level)
            print(f"  a true drop of 5 points in one of {cases} at a level of {level}: {power:.1%} caught", flush=True)
    for rule in ("no fall", "a rise"):
        over, failed = climbed(trials, 0.025, rule)
        print(f"nine runs, {rule} replaces: {100 * over:+.2f} points over the truth, a tenth run fails in {failed:.1%}")
    for flips, rows_a_clip in ((0.025, 1), (0.025, 2)):
        share = alarms(runs, 40, flips, rows_a_clip=rows_a_clip)
        print(
            f"40 cases without a change, {flips:.2%} flips, {rows_a_clip} rows a clip: {share:.2%} alarms", flush=True
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
