from __future__ import annotations

import pytest
from support.documents import valid

HEADER = "name,a1,a2,preference,model1,model2,annotator,subset\n"
CLIPS = ("c1", "c2")


def rows(*, people=("ann", "ben", "cem")):
    """Every clip has three pairs, of which each has a label by each of three people, who mostly prefer `strong`."""
    lines = [HEADER]
    for number, clip in enumerate(CLIPS * 3):
        subset = "odd" if number % 2 else "even"
        for person in people:
            label = "a2" if (person, number) == ("cem", 2) else "a1"
            lines.append(f"{clip},he is glad {number},sad {number},{label},strong,weak,{person},{subset}\n")
    return "".join(lines)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_controls_that_no_test_runs_and_people_stand_in_the_report(bench, workers):
    """With the ceiling and the subsets, however many processes there are; a baseline takes none of them."""
    (bench.data / "toy.csv").write_text(rows())
    (bench.data / "subtitles.csv").write_text("name,subtitle\nc1,I am glad\nc2,I am so glad\n")
    result = bench.run("-k", "toy and (longer or judge-S1)", "--emoprefer-save", "main", *workers)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*people: of several labels of 6 pairs, two agree in *", "subset even, 9 rows, in percent; *"]
    )
    result.stdout.fnmatch_lines(["*2 cases saved, 2 in all"])
    document = valid(bench.report())
    cases = {case["id"]: case for case in document["cases"]}
    assert cases.keys() == {
        *("judge-S1-toy", "longer-toy", "majority-toy-people"),
        *("writer_prior-toy", "length_and_writer-toy", "word_overlap-toy"),
    }
    assert document["datasets"]["toy"]["ceiling"]["pairs"] == 6
    assert set(cases["writer_prior-toy"]["subsets"]) == {"even", "odd"}
    controls = {compared["against"] for compared in cases["judge-S1-toy"]["comparisons"]}
    assert controls == {"longer", "always_a1", "random", "writer_prior", "length_and_writer", "word_overlap"}


def test_a_limit_of_a_subset_holds_in_a_run(bench):
    """A floor of one subset fails the case that misses it, and names it."""
    (bench.data / "toy.csv").write_text(
        rows(people=("ann",)).replace("a1,strong,weak,ann,odd", "a2,strong,weak,ann,odd")
    )
    limit = ("--emoprefer-compare-fail", "min_acc2[even]:0.9", "--emoprefer-compare-fail", "min_acc2[odd]:0.9")
    bench.run("-k", "toy and judge-S1", *limit)
    decisions = {decision["metric"]: decision for decision in bench.cases()["judge-S1-toy"]["gate"]}
    scores = {name: part["scores"]["acc2"]["mean"] for name, part in bench.cases()["judge-S1-toy"]["subsets"].items()}
    assert set(decisions) == {"acc2[even]", "acc2[odd]"}
    for name, score in scores.items():
        assert decisions[f"acc2[{name}]"]["outcome"] == ("pass" if score >= 0.9 else "fail")
        assert decisions[f"acc2[{name}]"]["score"] == score


def test_without_writers_people_or_subtitles_a_report_has_nothing_more(bench):
    """What the data don't allow isn't there."""
    bench.run("-k", "toy and longer")
    assert set(bench.cases()) == {"longer-toy"}
    assert "ceiling" not in bench.report()["datasets"]["toy"]
