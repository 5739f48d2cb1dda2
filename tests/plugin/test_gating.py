"""Gates as a pytest user meets them: what fails, what is inconclusive, what warns, alone and on two workers."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from support.documents import valid

CONFTEST = """
import pathlib, emoprefer_bench

HERE = pathlib.Path(__file__).parent

def rows(name):
    path = HERE / name
    return path.read_text().split() if path.exists() else []

def say(question):
    good = 0 if question.texts[0].startswith("good") else 1
    row = question.texts[0].split()[1]
    if row in rows("silent.txt"):
        return "Hard to say."
    return f"a{(1 - good if row in rows('wrong.txt') else good) + 1}"

@emoprefer_bench.model(gpus=0, modality="text", prompts=())
def judge(gpus):
    return emoprefer_bench.function(say, name="judge")

@emoprefer_bench.model(gpus=0, modality="text", prompts=())
def other(gpus):
    return emoprefer_bench.function(lambda question: "a1", name="other")
"""
ROWS = 40
WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "workers"])


def table(rows=range(ROWS)):
    """A data set in which the good text is preferred; every row has a clip of its own."""
    lines = [f"c{n},good {n},bad {n},a1" if n % 2 else f"c{n},bad {n},good {n},a2" for n in rows]
    return "name,a1,a2,preference\n" + "\n".join(lines) + "\n"


BASELINES = {}  # saved once; that saving it again gives the same bytes is a test of its own


class Gated:
    """A project with a judge that can be made to err, and a baseline `main` in which it erred in no row."""

    def __init__(self, bench):
        self.bench = bench
        self.path = bench.pytester.path
        bench.pytester.makeconftest(CONFTEST)
        (bench.data / "toy.csv").write_text(table())
        file = self.path / "benchmarks/baselines/main.json"
        if "main" not in BASELINES:
            bench.run("--emoprefer-save", "main").assert_outcomes(passed=5, skipped=15)
            BASELINES["main"] = file.read_bytes()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(BASELINES["main"])

    def run(self, *args, **settings):
        """The judge alone."""
        return self.bench.run("-k", "judge and toy", *args, **settings)

    def compare(self, *args, **settings):
        """The judge alone, against the baseline."""
        return self.run("--emoprefer-compare", "main", *args, **settings)

    def compare_all(self, *args, **settings):
        """Everything, against the baseline."""
        return self.bench.run("--emoprefer-compare", "main", *args, **settings)

    def wrong(self, rows):
        """Make the judge err in the first rows."""
        (self.path / "wrong.txt").write_text(" ".join(map(str, range(rows))))

    def baseline(self, name="main"):
        """What is in its file."""
        return json.loads((self.path / f"benchmarks/baselines/{name}.json").read_text())

    def gate(self, case="judge-toy"):
        """The decisions on a case, without those that passed, as (kind, outcome)."""
        gate = self.bench.cases()[case]["gate"]
        return [(one["kind"], one["outcome"]) for one in gate if one["outcome"] != "pass"]


@pytest.fixture
def gated(bench):
    """The project."""
    return Gated(bench)


@WORKERS
def test_the_same_result_passes(gated, workers):
    """Nothing changed, so nothing fails or warns, with limits on everything."""
    result = gated.compare("--emoprefer-compare-fail", "waf2:0pp", "--emoprefer-compare-fail", "swap:0%", *workers)
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert gated.gate() == []
    assert [one["kind"] for one in gated.bench.cases()["judge-toy"]["gate"]] == ["drop", "drop"]


@WORKERS
def test_a_confirmed_drop_fails_the_case_and_says_all_in_one_message(gated, workers):
    """Score, baseline, difference, interval, p and the rows that flipped; the result is on the report in full."""
    gated.wrong(10)
    result = gated.compare("--emoprefer-compare-fail", "waf2:2pp", *workers)
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    numbers = "waf2 75.00, baseline 100.00: -25.00 pp, 95% interval [[]-*, -*], one-sided p = 0.00*"
    rows = "row 1 (c0) a2 -> a1, row 2 (c1) a1 -> a2, * and 2 more"
    result.stdout.fnmatch_lines([f"judge-toy: {numbers}; tolerated are 2.00 pp. Flipped: {rows}"])
    case = gated.bench.cases()["judge-toy"]
    assert case["outcome"] == "failed"
    assert case["scores"]["acc2"]["mean"] == 0.75
    (drop,) = case["gate"]
    assert (drop["drop"], drop["flipped"], len(drop["flipped_rows"])) == (0.25, 10, 10)
    assert drop["p"] < 0.01
    assert valid(gated.bench.report())["complete"]


@WORKERS
def test_a_drop_within_the_tolerance_passes(gated, workers):
    """However sure it is."""
    gated.wrong(10)
    assert gated.compare("--emoprefer-compare-fail", "waf2:25.1pp", *workers).ret == 0
    assert gated.gate() == []


def test_a_tolerance_in_percent_is_of_the_baseline(gated):
    """25 points are 25% of 100 and 33% of 75."""
    gated.wrong(10)
    assert gated.compare("--emoprefer-compare-fail", "acc2:25%").ret == 0
    gated.run("--emoprefer-save", "second")
    gated.wrong(20)
    assert gated.run("--emoprefer-compare", "second", "--emoprefer-compare-fail", "acc2:34%").ret == 0
    assert gated.run("--emoprefer-compare", "second", "--emoprefer-compare-fail", "acc2:33%").ret == 1


@WORKERS
def test_a_missed_floor_fails(gated, workers):
    """Without any baseline; a control is no judge, and fails no floor."""
    gated.wrong(20)
    result = gated.bench.run("-k", "(judge or always) and toy", "--emoprefer-compare-fail", "min_acc2:0.6", *workers)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["judge-toy: acc2 of 50.00 is under its floor of 60.00"])
    assert gated.gate() == [("floor", "fail")]
    assert gated.bench.cases()["always_a1-toy"]["gate"] == []


@WORKERS
def test_an_answered_share_under_its_limit_fails(gated, workers):
    """A judge that can't be understood is no judge."""
    (gated.path / "silent.txt").write_text("0 1 2 3")
    result = gated.run("--emoprefer-compare-fail", "min_answered:95%", *workers)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["judge-toy: answered of 90.00 is under its floor of 95.00"])


@WORKERS
def test_a_changed_data_set_fails_every_case_on_it(gated, workers):
    """It is said, with the rows, and no score is compared."""
    (gated.bench.data / "toy.csv").write_text(table().replace("c3,good 3", "c3,good 3 indeed"))
    result = gated.compare_all("--emoprefer-compare-fail", "waf2:2pp", *workers)
    result.assert_outcomes(failed=5, skipped=15)
    result.stdout.fnmatch_lines(
        ["judge-toy: data set toy is not the one of the baseline main: rows 1 changed (first: row 4 (c3)); nothing is*"]
    )
    assert gated.gate() == [("dataset", "fail")]
    assert "baseline" not in {one["kind"] for one in gated.bench.cases()["judge-toy"]["comparisons"]}


@WORKERS
@pytest.mark.parametrize(
    "options", [(), ("--no-summary",), ("-p", "no:terminal")], ids=["", "no-summary", "no-terminal"]
)
def test_a_case_of_the_baseline_that_is_gone_fails_the_run(gated, workers, options):
    """No test is left that could fail, so the run does, whatever is shown."""
    gated.bench.pytester.makeconftest(CONFTEST.replace("def other(gpus)", "def another(gpus)"))
    result = gated.compare_all(*options, *workers, apart=True)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    if "no:terminal" not in options:
        result.stdout.fnmatch_lines(["*other-toy: is in the baseline main, but no test ran it*"])
    assert gated.gate("other-toy") == [("missing", "fail")]
    assert gated.bench.cases()["other-toy"]["outcome"] == "missing"
    assert not valid(gated.bench.report())["complete"]


def test_a_run_that_collects_nothing_fails_too(gated):
    """A benchmark that was moved away is no reason to pass, nor to end like a run that was filtered to nothing."""
    (gated.path / "test_bench.py").write_text("")
    assert gated.compare_all().ret == pytest.ExitCode.TESTS_FAILED


@WORKERS
def test_a_case_of_the_baseline_that_is_skipped_fails_the_run(gated, workers):
    """With the reason of the skip."""
    result = gated.compare_all("--emoprefer-modality", "audio", *workers)
    result.assert_outcomes(passed=3, skipped=17)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*judge-toy: is in the baseline main, but was skipped: judge takes text, not audio*"])


@WORKERS
@pytest.mark.parametrize(
    "options",
    [
        ("-k", "judge and toy"),
        ("-m", "gpu"),
        ("--emoprefer-limit", "10"),
        ("test_bench.py::test_preference[judge-toy]",),
    ],
    ids=["k", "m", "limit", "node id"],
)
def test_a_run_that_was_told_to_leave_something_out_owes_nothing(gated, workers, options):
    """A filter is what was asked for."""
    gated.bench.pytester.makeconftest(CONFTEST.replace("def other(gpus)", "def another(gpus)"))
    result = gated.compare_all(*options, *workers)
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


@WORKERS
def test_folders_and_files_are_no_filter(gated, workers):
    """`pytest benchmarks` is how a gate is run: it must not sleep there."""
    gated.bench.pytester.makeconftest(CONFTEST.replace("def other(gpus)", "def another(gpus)"))
    assert gated.compare_all("test_bench.py", *workers).ret == pytest.ExitCode.TESTS_FAILED


@WORKERS
def test_a_drop_that_the_rows_cannot_confirm_is_inconclusive(gated, workers):
    """It warns with the smallest drop that they would show, and fails where strictness is asked for."""
    gated.wrong(3)
    result = gated.compare("--emoprefer-compare-fail", "acc2:2pp", *workers)
    assert result.ret == 0
    reason = "40 rows can't confirm it at p < 0.01; the smallest drop that they would show is 17.50 pp"
    result.stdout.fnmatch_lines([f"*inconclusive: judge-toy: acc2 92.50, baseline 100.00: -7.50 pp*{reason}*"])
    assert gated.gate() == [("drop", "inconclusive")]
    strict = gated.compare("--emoprefer-compare-fail", "acc2:2pp", "--emoprefer-strict", *workers)
    strict.assert_outcomes(failed=1)
    assert strict.ret == pytest.ExitCode.TESTS_FAILED
    assert gated.gate() == [("drop", "inconclusive")]


@WORKERS
def test_a_new_case_warns(gated, workers):
    """Nothing holds it yet."""
    gated.bench.pytester.makeconftest(CONFTEST.replace("def other", "def newcomer") + CONFTEST[CONFTEST.rindex("@") :])
    result = gated.compare_all("--emoprefer-compare-fail", "waf2:2pp", *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*warning*newcomer-toy: is not in the baseline main*"])
    assert gated.gate("newcomer-toy") == [("new", "warn")]


@WORKERS
def test_an_improvement_beyond_the_tolerance_warns(gated, workers):
    """The baseline is behind."""
    gated.wrong(10)
    gated.run("--emoprefer-save", "weak")
    gated.wrong(0)
    result = gated.run("--emoprefer-compare", "weak", "--emoprefer-compare-fail", "waf2:2pp", *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "gates: 1 improved",
            "*improved: judge-toy: waf2 rose to 100.00, baseline 75.00: +25.00 pp*--emoprefer-update*",
        ]
    )
    assert gated.gate() == [("improvement", "warn")]


@WORKERS
@pytest.mark.parametrize(("what", "was"), [("engine", "function 0.1"), ("device", "NVIDIA H200"), ("settings", "0123")])
def test_another_engine_or_gpu_warns(gated, workers, what, was):
    """A change of what the judge ran on is named."""
    path = gated.path / "benchmarks/baselines/main.json"
    content = gated.baseline()
    content["cases"]["judge-toy"]["ran_on"][f"judge's {what}"] = was
    path.write_text(json.dumps(content))
    result = gated.compare(*workers)
    assert result.ret == 0
    told = "did not run as in the baseline main: "
    if what != "settings":
        told += f"judge's {what} {was} -> "
    result.stdout.fnmatch_lines([f"*warning*judge-toy: {told}*"])
    assert gated.gate() == [("environment", "warn")]


@WORKERS
@pytest.mark.parametrize("name", ["nothing", "there/nothing.json"])
def test_a_missing_baseline_is_status_4_before_anything_runs(gated, workers, name):
    """The message says what baselines there are, and how to make one."""
    result = gated.run("--emoprefer-compare", name, *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no baseline *nothing.json*--emoprefer-save nothing makes one*"])
    assert not (gated.path / ".emoprefer/report.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', '{"schema": 9, "cases": {}}', "{", "[" * 100_000])
def test_a_baseline_that_cannot_be_read_is_status_4(gated, content):
    """Whatever is in the file."""
    (gated.path / "benchmarks/baselines/main.json").write_text(content)
    result = gated.compare()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*main.json: *"])
    assert "Traceback" not in result.stderr.str()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--emoprefer-compare-fail", "waf2"], "*'waf2' is no limit: write waf2:2pp*"),
        (["--emoprefer-compare-fail", "f1:2pp"], "*'f1' is no gate: metrics are waf2, *"),
        (["--emoprefer-compare-fail", "ties:2pp"], "*'ties' is no gate*"),
        (["--emoprefer-compare-fail", "waf2:2"], "*waf2:2 is no tolerance: write waf2:2pp *"),
        (["--emoprefer-compare-fail", "min_waf2:60"], "*min_waf2:60 is no share: write min_waf2:0.6 or min_waf2:60%*"),
        (["--emoprefer-compare-fail", "waf2:2pp"], "*a drop from what? Name it by --emoprefer-compare NAME*"),
        (["--emoprefer-update"], "*--emoprefer-update: which baseline?*"),
        (["--emoprefer-save", "main"], "*main.json exists; add --emoprefer-update*"),
        (["--emoprefer-save", "x", "--emoprefer-limit", "2"], "*a baseline is of whole data sets*"),
        (["-o", "emoprefer_gates=waf2"], "*emoprefer_gates: 'waf2' is no limit*"),
        (["-o", "emoprefer_gate_p=often"], "*emoprefer_gate_p = often: write a number between 0 and 1*"),
    ],
)
def test_a_wrong_option_is_one_message_and_status_4(gated, options, message):
    """What the user typed is named, before anything runs."""
    result = gated.bench.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


@WORKERS
@pytest.mark.parametrize(
    ("mark", "message"),
    [("waf2=2", "waf2:2 is no tolerance*"), ("'waf2:2pp'", "gate takes names alone*"), ("f=1", "'f' is no gate*")],
)
def test_a_mark_that_cannot_be_understood_is_refused_before_anything_runs(gated, workers, mark, message):
    """The test is named."""
    body = f"import pytest\n\n@pytest.mark.gate({mark})\ndef test_preference(case):\n    case.run()\n"
    gated.bench.pytester.makepyfile(test_bench=body)
    result = gated.compare(*workers)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*test_preference: " + message])
    assert "Traceback" not in result.stdout.str()
    result.assert_outcomes(errors=1)


def test_the_nearest_limit_holds(gated):
    """A mark is before the command line, that before the ini file, metric by metric."""
    gated.wrong(10)
    tight, loose = ("--emoprefer-compare-fail", "waf2:2pp"), ("-o", "emoprefer_gates=waf2:50pp")
    assert gated.compare(*loose).ret == 0
    assert gated.compare(*loose, *tight).ret == 1
    body = "import pytest\n\n@pytest.mark.gate(waf2='60pp')\ndef test_preference(case):\n    case.run()\n"
    gated.bench.pytester.makepyfile(test_bench=body)
    assert gated.compare(*loose, *tight).ret == 0
    assert gated.bench.cases()["judge-toy"]["gate"][0]["tolerance"] == 0.6
    gated.bench.pytester.makepyfile(test_bench=body.replace("'60pp'", "'60pp', min_acc2=0.9"))
    assert gated.compare(*loose, *tight).ret == 1
    assert gated.gate() == [("floor", "fail")]


def test_limits_without_a_baseline_are_floors_alone(gated):
    """An ini file may hold tolerances for the runs that compare."""
    gated.wrong(10)
    result = gated.run("-o", "emoprefer_gates=waf2:2pp\n  min_acc2:0.5")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["emoprefer gates: floors for acc2; drops of waf2 only with --emoprefer-compare"])
    assert [one["kind"] for one in gated.bench.cases()["judge-toy"]["gate"]] == ["floor"]


@WORKERS
def test_a_comparison_shows_deltas_with_and_without_limits(gated, workers):
    """In the report and in the terminal."""
    gated.wrong(3)
    result = gated.compare(*workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*compared with the baseline main*", "judge-toy waf2 *100.0*92.5*-7.5*"])
    of_case = gated.bench.cases()["judge-toy"]["comparisons"]
    (delta,) = (one for one in of_case if one["against"] == "main" and one["metric"] == "acc2")
    assert (delta["score"], delta["other"], delta["difference"]) == pytest.approx((0.925, 1.0, -0.075))
    assert delta["interval"][0] < -0.075 < delta["interval"][1]


def test_a_baseline_is_small_and_the_same_results_give_the_same_bytes(gated):
    """It can be kept in a repository, and read in a diff."""
    path = gated.path / "benchmarks/baselines/main.json"
    before = path.read_bytes()
    assert len(before) < 12_000
    assert gated.baseline()["cases"]["judge-toy"]["verdicts"][0]["forward"] == ["21" * 20]
    gated.bench.run("--emoprefer-save", "again", "-n", "2")
    assert (gated.path / "benchmarks/baselines/again.json").read_bytes() == before


@WORKERS
def test_update_merges_clean_cases_and_drops_no_other(gated, workers):
    """Cases that did not run, or not well, stay as they are."""
    gated.wrong(10)
    before = gated.baseline()["cases"]
    result = gated.run("--emoprefer-save", "main", "--emoprefer-update", *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["baseline *main.json: 1 case saved, 5 in all"])
    after = gated.baseline()["cases"]
    assert after["judge-toy"]["scores"]["acc2"] == 0.75
    assert {name: case for name, case in after.items() if name != "judge-toy"} == {
        name: case for name, case in before.items() if name != "judge-toy"
    }


@WORKERS
def test_update_leaves_out_what_failed_its_gate(gated, workers):
    """A drop enters the baseline only on purpose, by --emoprefer-save without a comparison."""
    gated.wrong(10)
    before = gated.baseline()
    result = gated.compare("--emoprefer-compare-fail", "waf2:2pp", "--emoprefer-update", *workers)
    result.stdout.fnmatch_lines(["baseline *main.json: 0 cases saved, 5 in all; left out: judge-toy (failed)"])
    assert gated.baseline() == before


@WORKERS
def test_update_refuses_to_mix_two_data_sets(gated, workers):
    """Cases that did not run again are about other rows, and are not dropped for that."""
    (gated.bench.data / "toy.csv").write_text(table(range(ROWS + 1)))
    before = gated.baseline()
    update = ("--emoprefer-save", "main", "--emoprefer-update")
    result = gated.run(*update, *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["the baseline main is left as it was: data set toy changed since, and 4 of its cases*"]
    )
    assert gated.baseline() == before
    assert gated.bench.run(*update, *workers).ret == 0
    assert len(gated.baseline()["datasets"]["toy"]) == ROWS + 1


@WORKERS
def test_a_baseline_never_slides(gated, workers):
    """Runs that are green, each a little worse than the last: none of them replaces what they are held against."""
    update = ("--emoprefer-compare-fail", "waf2:6pp", "--emoprefer-update", *workers)
    before = gated.baseline()
    for wrong in (1, 2) if workers else (1, 2, 2, 1):
        gated.wrong(wrong)
        result = gated.compare(*update)
        assert result.ret == 0
        result.stdout.fnmatch_lines(
            ["baseline *main.json: 0 cases saved, 5 in all; left out: judge-toy (waf2 fell by *"]
        )
        assert gated.baseline() == before
    gated.wrong(8)
    assert gated.run("--emoprefer-save", "weak").ret == 0
    gated.wrong(0)
    result = gated.run("--emoprefer-compare", "weak", *update)
    result.stdout.fnmatch_lines(["baseline *weak.json: 1 case saved, 1 in all"])
    assert gated.baseline("weak")["cases"]["judge-toy"] == before["cases"]["judge-toy"]


@WORKERS
def test_an_inconclusive_case_is_not_put_into_the_baseline(gated, workers):
    """Though it passes."""
    gated.wrong(3)
    before = gated.baseline()
    result = gated.compare("--emoprefer-compare-fail", "acc2:2pp", "--emoprefer-update", *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*left out: judge-toy (acc2 is inconclusive)"])
    assert gated.baseline() == before


@WORKERS
def test_the_level_is_that_of_the_run(gated, workers):
    """Two limits on each of two judges are four tests, wherever they run; the controls are none, nor is what is new."""
    gated.wrong(10)
    limits = ("--emoprefer-compare-fail", "waf2:2pp", "--emoprefer-compare-fail", "acc2:2pp")
    gated.compare_all(*limits, *workers)
    for name in ("judge-toy", "other-toy"):
        tests = {(one["tests"], one["level"], round(one["alpha"], 5)) for one in gated.bench.cases()[name]["gate"]}
        assert tests == {(4, 0.01, 0.00251)}
    result = gated.compare(*limits, "-o", "emoprefer_gate_p=0.05", *workers)
    result.stdout.fnmatch_lines(
        ["judge-toy: waf2 75.00, * one-sided p = 0.00* at a level of 0.0253 (0.05 for the 2 tests*"]
    )


@WORKERS
def test_a_strict_run_fails_where_nothing_was_compared(gated, workers):
    """A case that the baseline lacks, until a run adds it."""
    gated.bench.pytester.makeconftest(CONFTEST.replace("def other", "def newcomer"))
    strict = ("-k", "newcomer and toy", "--emoprefer-strict", *workers)
    result = gated.compare_all(*strict)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["newcomer-toy: is not in the baseline main, so nothing holds it*"])
    assert gated.compare_all(*strict, "--emoprefer-update").ret == 0
    assert gated.compare_all(*strict).ret == 0


def test_rounds_that_the_baseline_lacks_are_said(gated):
    """They are compared with nothing."""
    result = gated.compare("--emoprefer-rounds", "3", "--emoprefer-compare-fail", "waf2:2pp")
    result.stdout.fnmatch_lines(["*warning: judge-toy: has 3 rounds, and 1 in the baseline main: the first alone is*"])


def test_a_failure_is_told_once(gated):
    """Where pytest shows why a test failed, the summary counts it; where it doesn't, the summary says it."""
    gated.wrong(10)
    told = "judge-toy: waf2 75.00, baseline 100.00: "
    shown = gated.compare("--emoprefer-compare-fail", "waf2:2pp")
    shown.stdout.fnmatch_lines(["gates: 1 failed (above)"])
    assert len([line for line in shown.outlines if told in line and not line.startswith("FAILED ")]) == 1
    hidden = gated.compare("--emoprefer-compare-fail", "waf2:2pp", "--tb=no")
    hidden.stdout.fnmatch_lines(["gates: 1 failed", f"  failed: {told}*"])


@WORKERS
def test_x_stops_at_the_first_failed_gate(gated, workers):
    """The failed case is reported, and what was not run is not missed."""
    gated.wrong(10)
    result = gated.compare_all("-x", "-k", "toy", "--emoprefer-compare-fail", "waf2:2pp", *workers)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert gated.gate() == [("drop", "fail")]
    assert "missing" not in {case["outcome"] for case in gated.bench.cases().values()}


@WORKERS
def test_lf_runs_the_cases_that_a_gate_failed(gated, workers):
    """And nothing else is missed for that."""
    gated.wrong(10)
    gated.compare_all("--emoprefer-compare-fail", "waf2:2pp")
    gated.wrong(0)
    result = gated.compare_all("--lf", "--emoprefer-compare-fail", "waf2:2pp", *workers)
    result.assert_outcomes(passed=1)
    assert result.ret == 0


@WORKERS
@pytest.mark.parametrize("options", [("-p", "no:terminal"), ("--no-summary",)], ids=["no-terminal", "no-summary"])
def test_a_gate_fails_whatever_is_shown(gated, workers, options):
    """The exit status and the report don't depend on a terminal."""
    gated.wrong(10)
    result = gated.compare("--emoprefer-compare-fail", "waf2:2pp", *options, *workers, apart=True)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert gated.gate() == [("drop", "fail")]


def test_a_limited_run_is_compared_on_its_rows(gated):
    """A quick look at the first rows is held against the same rows of the baseline."""
    gated.wrong(8)
    result = gated.compare("--emoprefer-limit", "10", "--emoprefer-compare-fail", "acc2:2pp")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (drop,) = (one for one in gated.bench.cases()["judge-toy"]["gate"] if one["kind"] == "drop")
    assert (drop["before"], drop["after"], drop["rows"]) == (1.0, pytest.approx(0.2), 10)


@WORKERS
def test_junit_xml_has_scores_and_gates(gated, workers):
    """As properties of the test case, whether it failed or not."""
    gated.wrong(10)
    gated.compare("--emoprefer-compare-fail", "waf2:2pp", "--junitxml", "junit.xml", *workers)
    (case,) = ET.parse(gated.path / "junit.xml").getroot().iter("testcase")  # noqa: S314  # we wrote it
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["emoprefer.acc2"] == "0.75"
    assert properties["emoprefer.gate.waf2"] == "fail"


@WORKERS
@pytest.mark.parametrize("options", [(), ("-p", "no:terminal")], ids=["", "no-terminal"])
def test_github_gets_a_summary_and_one_annotation(gated, monkeypatch, workers, options):
    """The annotation is the worst drop's, on a line of its own."""
    summary = gated.path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    gated.wrong(10)
    limits = ("--emoprefer-compare-fail", "waf2:2pp", "--emoprefer-compare-fail", "min_acc2:90%")
    result = gated.compare(*limits, *options, *workers, apart=True)
    errors = [line for line in result.outlines if line.startswith("::error")]
    assert [line.partition(" pp")[0] for line in errors] == [
        "::error title=emoprefer_bench::judge-toy: waf2 75.00, baseline 100.00: -25.00"
    ]
    text = summary.read_text()
    assert text.startswith("before\n### toy")
    assert "- failed: judge-toy: acc2 of 75.00 is under its floor" in text


def test_without_github_nothing_of_it(gated, monkeypatch):
    """No annotation, no file."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    gated.wrong(10)
    assert "::error" not in gated.compare("--emoprefer-compare-fail", "waf2:2pp").stdout.str()


def test_an_expected_failure_of_a_gate_fails_nothing(gated):
    """A case that ran is not one that was skipped, though pytest counts both alike."""
    gated.wrong(10)
    body = "import pytest\n\n@pytest.mark.xfail(strict=False)\ndef test_preference(case):\n    case.run()\n"
    gated.bench.pytester.makepyfile(test_bench=body)
    result = gated.compare_all("--emoprefer-compare-fail", "waf2:2pp")
    result.assert_outcomes(xfailed=1, xpassed=4, skipped=15)
    assert result.ret == 0
    assert gated.gate() == [("drop", "fail")]
