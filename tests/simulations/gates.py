"""How often gates fail runs without a change, how often they catch a true drop, and whether a baseline can slide."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.worlds import TwoRuns

from emoprefer_bench.scoring.statistics import DRAWS, draws_for, drop_test, share_of_level

TOLERANCE = 0.02
METRIC = "waf2"


def waf2(confusion: np.ndarray) -> np.ndarray:
    """The score of confusions (..., 4): a1 right, a1 wrong, a2 right, a2 wrong."""
    right1, wrong1, right2, wrong2 = np.moveaxis(confusion, -1, 0)
    rows1, rows2 = right1 + wrong1, right2 + wrong2
    f1 = 2 * right1 / (rows1 + right1 + wrong2), 2 * right2 / (rows2 + right2 + wrong1)
    return (rows1 * f1[0] + rows2 * f1[1]) / (rows1 + rows2)


def confusions(runs: TwoRuns) -> np.ndarray:
    """The confusions of both runs by clip: (2, clips, 4)."""
    kind = runs.label * 2 + ~np.stack([right[0] for right in runs.right])
    size, labelled = max(runs.clips) + 1, runs.label < 2
    counted = [np.bincount((np.array(runs.clips) * 4 + of_run)[labelled], minlength=size * 4) for of_run in kind]
    return np.stack(counted).reshape(2, size, 4)


def drop_and_p(runs: TwoRuns, alpha: float, rng: np.random.Generator) -> tuple[float, float]:
    """The drop and its p: what `drop_test` does, on tables of four cells in place of 64, which is quicker."""
    before, after = confusions(runs)
    change = after - before
    kinds, count = np.unique(change[change.any(-1)], axis=0, return_counts=True)
    return _of_counts(before.sum(0), after.sum(0), kinds, count, alpha, rng)


def _of_counts(
    before: np.ndarray,
    after: np.ndarray,
    kinds: np.ndarray,
    count: np.ndarray,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """The drop and its p, of clips that change in so many kinds; within the tolerance there is no p: it can't fail."""
    drop = float(waf2(before) - waf2(after))
    if drop <= TOLERANCE:
        return drop, 1.0

    def p(draws: int) -> float:
        moved = rng.binomial(count, 0.5, (draws, len(kinds))) @ kinds
        return (1 + int((waf2(before + moved) - waf2(after - moved) >= drop - 1e-9).sum())) / (1 + draws)

    rough = p(DRAWS)
    return drop, rough if rough > max(10 * alpha, 0.01) or draws_for(alpha) == DRAWS else p(draws_for(alpha))


KINDS = np.array([[-1, 1, 0, 0], [1, -1, 0, 0], [0, 0, -1, 1], [0, 0, 1, -1]])


def counted(rng: np.random.Generator, number: int, flips: float, drop: float = 0.0) -> tuple[np.ndarray, ...]:
    """So many pairs of runs as `TwoRuns` makes them, with a row a clip, drawn as counts: before, after, changed."""
    before, after = np.zeros((2, number, 4), dtype=int)
    changed = np.zeros((number, 4), dtype=int)
    for label, rows in enumerate((301, 262)):
        able, lost = rng.hypergeometric(385, 574 - 385, rows, number), np.zeros(number, dtype=int)
        if drop:
            lost = rng.hypergeometric(round(drop * 574), 385 - round(drop * 574), able)
        right = 1 - flips
        for group, first, second in ((able - lost, right, right), (lost, right, flips), (rows - able, flips, flips)):
            chances = [first * second, first * (1 - second), (1 - first) * second, (1 - first) * (1 - second)]
            both, fell, rose, none = rng.multinomial(group, chances).T
            cells = slice(2 * label, 2 * label + 2)
            before[:, cells] += np.stack([both + fell, rose + none], axis=1)
            after[:, cells] += np.stack([both + rose, fell + none], axis=1)
            changed[:, cells] += np.stack([fell, rose], axis=1)
    return before, after, changed


def failed(pairs: tuple[np.ndarray, ...], alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Which of the counted pairs fail."""
    before, after, changed = pairs
    outcome = np.zeros(len(before), dtype=bool)
    for row in np.flatnonzero(waf2(before) - waf2(after) > TOLERANCE):
        outcome[row] = _of_counts(before[row], after[row], KINDS, changed[row], alpha, rng)[1] < alpha
    return outcome


def fails(runs: TwoRuns, alpha: float, rng: np.random.Generator) -> bool:
    """Whether the gate fails."""
    return drop_and_p(runs, alpha, rng)[1] < alpha


def agrees(trials: int = 20) -> float:
    """The largest difference of p from that of the package's own test."""
    rng = np.random.default_rng(4)
    apart = []
    for trial in range(trials):
        runs = TwoRuns(rng, flips=0.03, drop=0.03, rows_a_clip=1 + trial % 2)
        pair = runs.labels, runs.clips, runs.baseline, runs.current
        test = drop_test(*pair, metric=METRIC, tolerance=TOLERANCE)
        drop, p = drop_and_p(runs, 0.01, rng)
        assert abs(drop - (test["drop"] or 0.0)) < 1e-9
        apart += [abs(p - (test["p"] or 0.0))] if drop > TOLERANCE else []
    return max(apart)


def alarms(runs: int, cases: int, flips: float, level: float = 0.01, seed: int = 0) -> float:
    """The share of runs without any change in which one of the cases, or more, fails."""
    rng, alpha = np.random.default_rng(seed), share_of_level(level, cases)
    return float(failed(counted(rng, runs * cases, flips), alpha, rng).reshape(runs, cases).any(1).mean())


def caught(trials: int, cases: int, flips: float, drop: float = 0.05, level: float = 0.01, seed: int = 1) -> float:
    """The share of runs in which the one case of so many that has truly dropped fails."""
    rng, alpha = np.random.default_rng(seed), share_of_level(level, cases)
    return float(failed(counted(rng, trials, flips, drop), alpha, rng).mean())


def disagreement(flips: float, trials: int = 50) -> float:
    """The share of rows on which two runs differ where each flips so many by itself."""
    rng = np.random.default_rng(2)
    pairs = [TwoRuns(rng, flips=flips).right for _ in range(trials)]
    return float(np.mean([np.not_equal(before[0], after[0]).mean() for before, after in pairs]))


def climbed(histories: int, flips: float, rule: str, runs: int = 9, seed: int = 3) -> tuple[float, float]:
    """Let a judge without a change run against a baseline that each green run may replace, by a `rule`.

    `within` takes each run that did not fail, `no fall` each that did not fall, `a rise` only one that rose beyond the
    tolerance. Returns by how much the baseline stands over what it was, and how often one more run fails.
    """
    rng = np.random.default_rng(seed)
    over, failed = [], []
    for _ in range(histories):
        pair = TwoRuns(rng, flips=flips)
        kept = first = pair.right[0]
        for _ in range(runs):
            pair.right = kept, pair.again(rng)
            drop, p = drop_and_p(pair, 0.01, rng)
            if p >= 0.01 and drop <= {"within": TOLERANCE, "no fall": 0.0, "a rise": -TOLERANCE}[rule]:
                kept = pair.right[1]
        pair.right = first, kept
        over.append(-drop_and_p(pair, 0.01, rng)[0])
        pair.right = kept, pair.again(rng)
        failed.append(fails(pair, 0.01, rng))
    return float(np.mean(over)), float(np.mean(failed))


def slid(rule: str, a_run: float = 0.01, runs: int = 9, flips: float = 0.0025, histories: int = 100) -> float:
    """By how much nine green runs of a judge that loses a little in each move the baseline, by the same rules."""
    rng = np.random.default_rng(5)
    moved = []
    for _ in range(histories):
        pair = TwoRuns(rng, flips=flips)
        kept = first = pair.right[0]
        for _ in range(runs):
            lost = rng.permutation(np.flatnonzero(pair.able))[: round(a_run * len(pair.able))]
            pair.able = pair.able & ~np.isin(np.arange(len(pair.able)), lost)
            pair.right = kept, pair.again(rng)
            drop, p = drop_and_p(pair, 0.01, rng)
            if p >= 0.01 and drop <= {"within": TOLERANCE, "no fall": 0.0, "a rise": -TOLERANCE}[rule]:
                kept = pair.right[1]
        pair.right = first, kept
        moved.append(-drop_and_p(pair, 0.01, rng)[0])
    return float(np.mean(moved))


def main(runs: int = 1_500, trials: int = 300) -> None:
    """Print it all."""
    print(f"p is that of the package to {agrees():.4f}")
    print("| each run flips | two runs differ on | one test | one of 40 | one of 40 at a level of 0.05 |")
    print("|---|---|---|---|---|")
    for flips in (0.005, 0.0125, 0.025, 0.05):
        power = [caught(trials, cases, flips, level=level) for cases, level in ((1, 0.01), (40, 0.01), (40, 0.05))]
        cells = [f"{flips:.2%}", f"{disagreement(flips):.1%}", *(f"{share:.0%}" for share in power)]
        print("|", " | ".join(cells), "|", flush=True)
    for rule in ("within", "no fall", "a rise"):
        over, failed = climbed(trials // 4, 0.025, rule)
        print(
            f"nine runs, {rule}: without a change {100 * over:+.2f} points and a tenth run fails in {failed:.1%}; with "
            f"one point lost in each {100 * slid(rule):+.2f} points",
            flush=True,
        )
    for flips in (0.0125, 0.025, 0.05):
        share = alarms(runs, 40, flips)
        print(f"40 cases without a change, {flips:.2%} flips: {share:.2%} alarms", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
