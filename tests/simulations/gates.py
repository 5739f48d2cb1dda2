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


def drops(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far waf2 fell, in the forward order and in the mean of both, from confusions (..., 2 orders, 4): (..., 2)."""
    forward, exchanged = np.moveaxis(waf2(before) - waf2(after), -1, 0)
    return np.stack([forward, (forward + exchanged) / 2], axis=-1)


def confusions(runs: TwoRuns) -> np.ndarray:
    """The confusions of both runs by clip: (2 runs, clips, 2 orders, 4)."""
    size, labelled = max(runs.clips) + 1, runs.label < 2
    counted = [
        np.bincount((np.array(runs.clips) * 4 + runs.label * 2 + ~right)[labelled], minlength=size * 4)
        for of_run in runs.right
        for right in of_run
    ]
    return np.stack(counted).reshape(2, 2, size, 4).transpose(0, 2, 1, 3)


def drop_and_p(runs: TwoRuns, alpha: float, rng: np.random.Generator) -> tuple[float, float]:
    """The drop and its p: what `drop_test` does, on tables of eight cells in place of 128, which is quicker."""
    before, after = confusions(runs)
    change = after - before
    kinds, count = np.unique(change[change.any((-2, -1))], axis=0, return_counts=True)
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
    fell = drops(before, after)
    if fell[0] <= TOLERANCE:
        return float(fell[0]), 1.0

    some = (count > 0) & kinds.any((-2, -1))
    count, kinds = count[some], kinds[some]

    def p(draws: int) -> float:
        heads = rng.binomial(count, 0.5, (draws, len(kinds))).astype(float)  # floats are multiplied fast
        moved = (heads @ kinds.reshape(len(kinds), -1)).reshape(draws, 2, 4)
        null = drops(before + moved, after - moved)
        scale = np.vstack([null, fell]).std(0)
        return (1 + int(((null / scale).max(-1) >= (fell / scale).max() - 1e-9).sum())) / (1 + draws)

    rough = p(DRAWS)
    return float(fell[0]), rough if rough > max(10 * alpha, 0.01) or draws_for(alpha) == DRAWS else p(draws_for(alpha))


ONE_ORDER = {0: (-1, 1), 1: (0, 0), 2: (1, -1)}  # it fell, stayed, rose: of the cells right and wrong
OUTCOMES = [(first, second) for first in ONE_ORDER for second in ONE_ORDER]


def _kinds() -> np.ndarray:
    """What a row changes in the confusions of both orders, for each label and each of `OUTCOMES`: (18, 2, 4)."""
    kinds = np.zeros((2, len(OUTCOMES), 2, 4), dtype=int)
    for label in range(2):
        for number, outcome in enumerate(OUTCOMES):
            for order, change in enumerate(outcome):
                kinds[label, number, order, 2 * label : 2 * label + 2] = ONE_ORDER[change]
    return kinds.reshape(-1, 2, 4)


KINDS = _kinds()


def counted(
    rng: np.random.Generator, number: int, flips: float, drop: float = 0.0, *, one_order: bool = False
) -> tuple[np.ndarray, ...]:
    """So many pairs of runs as `TwoRuns` makes them, with a row a clip, drawn as counts.

    Returns the confusions before and after (number, 2 orders, 4), and how many rows changed in each of `KINDS`. With
    `one_order` what is lost is lost in the forward order alone.
    """
    before, after = np.zeros((2, number, 2, 4), dtype=int)
    changed = np.zeros((number, 2, len(OUTCOMES)), dtype=int)
    for label, rows in enumerate((301, 262)):
        able, lost = rng.hypergeometric(385, 574 - 385, rows, number), np.zeros(number, dtype=int)
        if drop:
            lost = rng.hypergeometric(round(drop * 574), 385 - round(drop * 574), able)
        cells = slice(2 * label, 2 * label + 2)
        sure, unable = (1 - flips, 1 - flips), (flips, flips)
        fallen = (1 - flips, flips)
        for group, orders in (
            (able - lost, (sure, sure)),
            (lost, (fallen, sure if one_order else fallen)),
            (rows - able, (unable, unable)),
        ):
            # For each order: right in both runs, fell, rose, right in neither.
            chances = [
                np.array([was * now, was * (1 - now), (1 - was) * now, (1 - was) * (1 - now)]) for was, now in orders
            ]
            joint = rng.multinomial(group, np.outer(*chances).ravel()).reshape(number, 4, 4)
            for order, told in enumerate((joint.sum(2), joint.sum(1))):
                both, fell, rose, none = told.T
                before[:, order, cells] += np.stack([both + fell, rose + none], axis=1)
                after[:, order, cells] += np.stack([both + rose, fell + none], axis=1)
            merged = np.stack([joint[:, 1], joint[:, 0] + joint[:, 3], joint[:, 2]], axis=1)
            changed[:, label] += np.stack(
                [merged[:, :, 1], merged[:, :, 0] + merged[:, :, 3], merged[:, :, 2]], axis=2
            ).reshape(number, -1)
    return before, after, changed.reshape(number, -1)


def failed(pairs: tuple[np.ndarray, ...], alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Which of the counted pairs fail."""
    before, after, changed = pairs
    outcome = np.zeros(len(before), dtype=bool)
    for row in np.flatnonzero(drops(before, after)[:, 0] > TOLERANCE):
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


def caught(
    trials: int,
    cases: int,
    flips: float,
    drop: float = 0.05,
    level: float = 0.01,
    seed: int = 1,
    *,
    one_order: bool = False,
) -> float:
    """The share of runs in which the one case of so many that has truly dropped fails."""
    rng, alpha = np.random.default_rng(seed), share_of_level(level, cases)
    return float(failed(counted(rng, trials, flips, drop, one_order=one_order), alpha, rng).mean())


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
    print("| each run flips | two runs differ on | one test | one of 40 | at a level of 0.05 | in one order alone |")
    print("|---|---|---|---|---|---|")
    for flips in (0.005, 0.0125, 0.025, 0.05):
        power = [caught(trials, cases, flips, level=level) for cases, level in ((1, 0.01), (40, 0.01), (40, 0.05))]
        power.append(caught(trials, 40, flips, one_order=True))
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
