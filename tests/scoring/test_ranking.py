from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import optimize, stats
from support.documents import case, report, toy_pairs
from support.weighed import rows, weighing

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document.cases import scored
from emoprefer_bench.reports.ranking import table
from emoprefer_bench.scoring.ranking import (
    Match,
    RankingError,
    kendall,
    of_judge,
    of_people,
    rank,
    rank_dataset,
    spearman,
    writers_in,
)

VERDICTS = ("a1", "a2", "same")


def probabilities(first, second, tie):
    """Davidson's model: first preferred, second preferred, tie."""
    weights = np.exp([first, second, tie + (first + second) / 2])
    return weights / weights.sum()


def simulated(strengths, number, *, seed=0, tie=-0.7):
    """Comparisons drawn from the model, two a clip."""
    rng = np.random.default_rng(seed)
    found = []
    for row in range(number):
        i, j = rng.choice(len(strengths), size=2, replace=False)
        verdict = VERDICTS[rng.choice(3, p=probabilities(strengths[i], strengths[j], tie))]
        found.append(Match(f"clip{row // 2}", f"w{i}", f"w{j}", verdict))
    return found


def test_strengths_are_those_of_greatest_likelihood():
    """The same as maximising Davidson's likelihood directly, but for the prior, a tenth of a comparison."""
    comparisons = simulated([-1, -0.3, 0.2, 1.1], 800)

    def loss(values):
        strengths, tie = dict(zip(("w0", "w1", "w2", "w3"), [*values[:3], -values[:3].sum()], strict=True)), values[3]
        chances = [
            probabilities(strengths[c.first], strengths[c.second], tie)[VERDICTS.index(c.verdict)] for c in comparisons
        ]
        return -np.log(chances).sum()

    best = optimize.minimize(loss, np.zeros(4), tol=1e-9).x
    found = rank(comparisons, {}, draws=2)[0].strengths
    assert [found[f"w{n}"].value for n in range(4)] == pytest.approx([*best[:3], -best[:3].sum()], abs=0.005)


def test_the_strongest_writer_stands_first_and_intervals_hold_the_truth():
    """Over ten simulated data sets, 95% intervals of three writers hold their true strengths 26 times of 30 or more."""
    truth = {"w0": -1, "w1": 0.0, "w2": 1}
    held = 0
    for seed in range(10):
        strengths = rank(simulated(list(truth.values()), 200, seed=seed), {}, draws=60)[0].strengths
        assert list(strengths) == ["w2", "w1", "w0"]
        held += sum(strengths[name].low < value < strengths[name].high for name, value in truth.items())
    assert held >= 26


def test_a_judge_that_agrees_with_people_has_their_order():
    """And one that always prefers the other text has the opposite one."""
    people = simulated([-1, -0.3, 0.3, 1], 400)
    opposite = [c._replace(verdict={"a1": "a2", "a2": "a1", "same": "same"}[c.verdict]) for c in people]
    _, same, other = rank(people, {"same": people, "opposite": opposite}, draws=30)
    assert (same.kendall.value, same.spearman.value) == pytest.approx((1, 1))
    assert (other.kendall.value, other.spearman.value) == pytest.approx((-1, -1))


def test_intervals_draw_clips():
    """The same rows on few clips are less sure than on many."""
    comparisons = simulated([-1, 0, 1], 300)
    few = [c._replace(clip=f"clip{row % 5}") for row, c in enumerate(sorted(comparisons, key=lambda c: c.verdict))]
    clumped = [c._replace(clip=c.verdict + c.first) for c in few]
    width = [rank(each, {}, draws=200)[0].strengths["w2"] for each in (comparisons, clumped)]
    assert width[1].high - width[1].low > width[0].high - width[0].low


def test_it_is_the_same_every_time():
    """Seeded, whatever the order of the judges."""
    people = simulated([-1, 0, 1], 60)
    assert rank(people, {"a": people}, draws=20) == rank(people, {"a": people}, draws=20)


def test_a_writer_who_won_everything_has_a_finite_strength():
    """As have those who were never compared with each other, and ties alone."""
    chain = [Match("c1", "a", "b", "a1"), Match("c2", "b", "c", "a1"), Match("c3", "x", "y", "same")]
    strengths = rank(chain, {}, draws=20)[0].strengths
    assert np.isfinite([value for estimate in strengths.values() for value in estimate]).all()
    assert strengths["a"].value > strengths["b"].value > strengths["c"].value
    assert strengths["x"].value == pytest.approx(strengths["y"].value)


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlations_are_scipys(seed):
    """Ties among the values included, row by row."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 5, (2, 4, 8)).astype(float)
    assert kendall(first, second) == pytest.approx(
        [stats.kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)]
    )
    assert spearman(first, second) == pytest.approx(
        [stats.spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    )


def test_rank_correlations_of_equals_are_undefined():
    """Where all are equal there is no order to compare."""
    assert np.isnan(kendall(np.zeros(3), np.arange(3.0)))
    assert np.isnan(spearman(np.arange(3.0), np.zeros(3)))


def test_rows_without_label_or_two_writers_tell_nothing():
    """They are left out, not counted as ties."""
    writers = [("x", "y"), None, ("x", "x"), ("y", "x")]
    found = of_people(["a1", "a1", "a1", None], ["0:a", "1:b", "2:c", "3:d"], writers)
    assert found == [Match("a", "x", "y", "a1")]


def test_a_judges_exchanged_verdicts_count_for_the_writers_as_they_stood():
    """So a judge that always says a1 prefers nobody."""
    pairs = toy_pairs(["a1", "a2"])
    judged = case(Case("m", "S1", "toy", "audio"), pairs, ["a1", "?"])
    keys, writers = [pair.key for pair in pairs], [("x", "y"), ("x", "y")]
    assert of_judge(judged, keys, writers) == [Match("clip0", "x", "y", "a1"), Match("clip0", "y", "x", "a2")]
    judged["verdicts"][0]["exchanged"][0] = "a1"
    strengths = rank(of_judge(judged, keys, writers), {}, draws=2)[0].strengths
    assert strengths["x"].value == pytest.approx(strengths["y"].value)


def document():
    """A judge that is right about half of the rows, on three writers."""
    labels = ["a1", "a2", "a1", "a1", "a2", "same", "a2", "a2"]
    writers = [("x", "y"), ("y", "z"), ("x", "z"), ("x", "y"), ("z", "x"), ("y", "z"), ("y", "z"), ("y", "x")]
    pairs = toy_pairs(labels, writers=writers)
    judged = case(Case("m", "S1", "toy", "audio"), pairs, ["a1", "a1", "a1", "a2", "a2", "same", "a2", "a2"])
    return report([judged], Dataset("toy", pairs)), writers


def test_a_report_is_ranked_by_people_and_each_case():
    """The text shows both orders and their agreement."""
    found, writers = document()
    rankings = rank_dataset(found["datasets"]["toy"], scored(found, "toy"), writers, draws=10)
    assert [ranking.name for ranking in rankings] == ["people", "m-S1-toy"]
    assert list(rankings[0].strengths) == ["x", "z", "y"]
    lines = [line.split() for line in table(rankings).splitlines()]
    assert lines[2][:3] == ["people", "1", "x"]
    assert lines[3][:2] == ["2", "z"]
    assert ["m-S1-toy", "16"] in [line[:2] for line in lines]


def test_writers_are_read_from_a_transcript(tmp_path):
    """One line a verdict; exchanged lines have them exchanged and are passed over."""
    lines = [
        {"key": "00001:c", "order": "forward", "writers": ["x", "y"]},
        {"key": "00001:c", "order": "exchanged", "writers": ["y", "x"]},
        {"key": "00002:c", "order": "forward", "writers": [None, None]},
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert writers_in(path, 3) == [None, ("x", "y"), None]


def test_without_writers_there_is_nothing_to_rank():
    """The message says where writers would stand."""
    with pytest.raises(RankingError, match="columns model1 and model2"):
        rank([], {})


def test_writers_are_ranked_by_the_scores_of_their_texts():
    """Whatever the clips add: writers stand as far apart as their texts do on the same clips."""
    rng = np.random.default_rng(0)
    height = {"w0": 0.4, "w1": 0.1, "w2": -0.5}
    dataset, written, weights = _weighed_texts(rng, height)
    judge = weighing("judge", dataset, [first - second for first, second in weights])
    judge["verdicts"][0]["forward_weights"] = [list(scores) for scores in weights]
    rankings = rank_dataset(dataset.described(), [judge], written, draws=50)
    assert [ranking.name for ranking in rankings] == ["people", "judge-L1-toy", "judge-L1-toy, by score"]
    _, by_verdict, by_score = rankings
    assert list(by_score.strengths) == ["w0", "w1", "w2"]
    for writer, estimate in by_score.strengths.items():
        assert estimate.value == pytest.approx(height[writer], abs=0.05)
        assert estimate.low < height[writer] < estimate.high
    assert by_score.kendall.value == 1.0
    assert (by_score.scores, by_verdict.scores, by_verdict.comparisons) == (True, False, 240)


def _weighed_texts(rng, height):
    """60 clips with two rows each, of any two of the writers, and what a judge gives each text."""
    written, weights, labels = [], [], []
    for _ in range(60):
        clip = rng.normal() * 3
        for _ in range(2):
            first, second = rng.permutation(list(height))[:2]
            written.append((str(first), str(second)))
            weights.append(tuple(clip + height[writer] + rng.normal() / 10 for writer in (first, second)))
            labels.append("a1" if (height[first] > height[second]) == (rng.random() < 0.85) else "a2")
    return rows("toy", labels), written, weights
