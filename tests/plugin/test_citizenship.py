"""The plugin in projects that have tests, fixtures, marks and conftest.py files of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOREIGN = """
import pytest

@pytest.fixture(params=[1, 2])
def numbered(request):
    return request.param

@pytest.mark.parametrize("case", ["x", "y"])
def test_case_by_mark(case):
    assert case in "xy"

class TestOwn:
    @pytest.fixture
    def case(self, gpus):
        return gpus

    @pytest.fixture
    def gpus(self):
        return [0]

    @pytest.mark.gate("open", high=True)
    @pytest.mark.preference
    @pytest.mark.gpu
    def test_case_by_fixture(self, case, gpus, numbered):
        assert case == gpus == [0]

@pytest.mark.preference("tea")
def test_mark(): pass

def test_case_by_hook(case):
    assert case in (7, 8)

def test_gpus(gpus, random, longer):
    assert (gpus, random, longer) == (0, 1, 2)
"""
OWN_FIXTURES = """
import pytest

def pytest_generate_tests(metafunc):
    if metafunc.function.__name__ == "test_case_by_hook":
        metafunc.parametrize("case", [7, 8])

@pytest.fixture(scope="session")
def gpus(): return 0

@pytest.fixture
def random(): return 1

@pytest.fixture
def longer(): return 2
"""
JUDGE = """
import emoprefer_bench
@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
def {name}(gpus):
    def answer(question):
        with open("asked.txt", "a") as noted:
            noted.write("{says}\\n")
        return "{says}"
    return emoprefer_bench.function(answer, name="{says} says {name}")
"""


def folders(bench, **judges):
    """A folder for each, with a test and a conftest.py that declares the judge: (name, what it says)."""
    (bench.pytester.path / "conftest.py").unlink()
    (bench.pytester.path / "test_bench.py").rename(bench.pytester.path / "benchmark.py")
    for folder, (name, says) in judges.items():
        (bench.pytester.path / folder).mkdir()
        (bench.pytester.path / folder / "conftest.py").write_text(JUDGE.format(name=name, says=says))
        test = f"def test_{folder}(case): assert case.run()['complete']\n"
        (bench.pytester.path / folder / f"test_{folder}.py").write_text(test)


def test_tests_that_use_the_same_names_for_other_ends_run_as_without_the_plugin(bench):
    """`case` by a mark, a fixture, a class and a hook, a fixture `gpus`, fixtures called as controls, and marks."""
    conftest = bench.pytester.path / "conftest.py"
    conftest.write_text(OWN_FIXTURES + conftest.read_text())
    bench.pytester.makepyfile(test_foreign=FOREIGN)
    bench.run("test_foreign.py").assert_outcomes(passed=2 + 2 + 1 + 2 + 1)
    assert not (bench.pytester.path / ".emoprefer").exists()
    both = bench.run("-k", "foreign or (toy and (S1 or random))")
    both.assert_outcomes(passed=8 + 2)
    assert len(bench.asked()) == 6
    assert set(bench.cases()) == {"judge-S1-toy", "random-toy"}


def test_a_test_may_take_its_case_through_other_fixtures_and_in_a_class(bench):
    """What resolves to the plugin's fixture in the end is a case: overridden, wrapped, or asked for by usefixtures."""
    bench.pytester.makepyfile(
        test_bench="""
        import pytest

        @pytest.fixture
        def case(case):
            return case

        @pytest.fixture
        def result(case):
            return case.run()

        class TestJudges:
            def test_wrapped(self, result):
                assert result["complete"]

        @pytest.mark.usefixtures("result")
        def test_used(): pass
        """
    )
    bench.run("-k", "judge and S1 and toy").assert_outcomes(passed=2)
    assert len(bench.asked()) == 6


@pytest.mark.parametrize("argument", ["gpus", "judge", "lazily"])
def test_what_asks_for_a_model_outside_of_a_case_is_told_in_a_sentence(bench, argument):
    """No traceback of ours, and no word of `request.param`."""
    lazily = "import pytest\n@pytest.fixture\ndef lazily(request): return request.getfixturevalue('case')\n"
    bench.pytester.makepyfile(test_lone=f"{lazily}def test_lone({argument}): pass")
    result = bench.run("test_lone.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*there is no model here: `case` and `gpus` are for a test that names `case`*"])
    assert "param'" not in result.stdout.str()


def test_each_test_is_judged_by_the_models_that_it_can_see(bench):
    """Two folders with a conftest.py each: each judge is asked by its own folder's test, and both pass."""
    folders(bench, first=("judge_a", "a1"), second=("judge_b", "a2"))
    bench.run("-k", "S1 and toy").assert_outcomes(passed=2)
    assert {name: case["outcome"] for name, case in bench.cases().items()} == {
        "judge_a-S1-toy": "passed",
        "judge_b-S1-toy": "passed",
    }
    ids = bench.run("--collect-only", "-q", "-k", "S1 and toy").outlines
    assert [line for line in ids if "::" in line] == [
        "first/test_first.py::test_first[judge_a-S1-toy]",
        "second/test_second.py::test_second[judge_b-S1-toy]",
    ]


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_name_that_means_two_models_is_refused_before_anything_runs(bench, workers):
    """One sentence that says where both are, and status 4; each folder alone runs."""
    folders(bench, first=("judge", "a1"), second=("judge", "a2"))
    result = bench.run("-k", "S1 and toy", *workers, apart=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    sentence = (
        "*the model judge means two things in this run, first/conftest.py:3 in first/test_first.py and "
        "second/conftest.py:3 in second/test_second.py: rename one, or run them apart"
    )
    (result.stdout if workers else result.stderr).fnmatch_lines([sentence])
    assert "INTERNALERROR" not in result.stdout.str()
    assert bench.asked() == []
    assert not (bench.pytester.path / ".emoprefer/report.json").exists()
    bench.run("-k", "S1 and toy", "second", *workers).assert_outcomes(passed=1)
    assert set(bench.asked()) == {"a2"}


def test_a_model_that_depends_on_what_differs_from_folder_to_folder_is_not_asked_for_both(bench):
    """One function in two conftest.py files gives two judges: the second test fails in a sentence, and passes alone."""
    folders(bench, first=("judge", "a1"), second=("judge", "a2"))
    bench.pytester.makepyfile(
        shared="""
        import emoprefer_bench
        @emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
        def judge(gpus, says):
            return emoprefer_bench.function(lambda question: says, name=f"says {says}")
        """
    )
    bench.pytester.syspathinsert()
    for folder, says in (("first", "a1"), ("second", "a2")):
        (bench.pytester.path / folder / "conftest.py").write_text(
            f"import pytest\nfrom shared import judge\n@pytest.fixture(scope='session')\ndef says(): return {says!r}\n"
        )
    result = bench.run("-k", "judge and toy")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the model judge means two things in this run: what its fixture depends on differs*"])
    bench.run("-k", "judge and toy", "second").assert_outcomes(passed=1)


def test_models_may_stand_in_a_module_and_only_its_tests_see_them(bench):
    """Those in classes see them, too; a model can't stand in a class, where pytest has no fixtures of a session."""
    bench.pytester.makepyfile(
        test_module=JUDGE.format(name="of_module", says="a1")
        + "class TestInside:\n    def test_in_class(self, case): assert case.run()['complete']\n"
        + "def test_in_module(case): assert case.run()['complete']\n"
    )
    result = bench.run("-v", "-k", "S1 and toy and (of_module or judge)")
    ids = {line.partition("::")[2].partition(" ")[0] for line in result.outlines if "PASSED" in line}
    assert ids == {
        "TestInside::test_in_class[judge-S1-toy]",
        "TestInside::test_in_class[of_module-S1-toy]",
        "test_in_module[judge-S1-toy]",
        "test_in_module[of_module-S1-toy]",
        "test_preference[judge-S1-toy]",
    }
    assert (bench.pytester.path / "asked.txt").read_text().count("a1\n") == 6
    bench.pytester.makepyfile(
        test_class="import emoprefer_bench as b\nclass TestIt:\n    @b.model()\n    def mine(self, gpus): pass\n"
    )
    result = bench.run("test_class.py")
    result.stdout.fnmatch_lines(["*the model mine stands in a class, where pytest has no fixtures of a session*"])


def test_a_model_called_like_a_control_is_refused(bench):
    """Its answers would stand under the control's name."""
    bench.pytester.makeconftest(JUDGE.format(name="longer", says="a1"))
    result = bench.run("-k", "longer and toy")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*the model longer (conftest.py:2) is called like a control*give it another name*"])


def test_models_are_declared_in_a_loop_by_a_factory_and_under_another_name(bench):
    """The name is the given one, or else the one that the module binds, as for any fixture; yield works, too."""
    bench.pytester.makeconftest(
        """
        import emoprefer_bench

        for size in ("3b", "7.5b"):
            @emoprefer_bench.model(name=f"qwen_{size}", gpus=0, modality="text", prompts=("S1",))
            def judge(gpus, size=size):
                assert gpus.ids == ()
                return emoprefer_bench.function(lambda question: "a1", name=size)

        def made(says):
            @emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
            def judge_of(gpus):
                yield emoprefer_bench.function(lambda question: says, name=says)
            return judge_of

        first, second = made("a1"), made("a2")
        """
    )
    bench.run("-k", "S1 and toy").assert_outcomes(passed=4)
    engines = {name: case["engine"]["judge"]["identity"]["name"] for name, case in bench.cases().items()}
    assert engines == {
        "qwen_3b-S1-toy": "3b",
        "qwen_7.5b-S1-toy": "7.5b",
        "first-S1-toy": "a1",
        "second-S1-toy": "a2",
    }


def test_a_name_that_ids_cannot_hold_is_refused(bench):
    """A dash parts a model from its prompt."""
    bench.pytester.makeconftest("import emoprefer_bench\n@emoprefer_bench.model(name='a-b')\ndef mine(gpus): pass\n")
    result = bench.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*name='a-b': a model's name has letters, digits, _ and . alone*"])


TWO_TESTS = """
def test_good_enough(case):
    assert case.run()["scores"]["acc2"]["mean"] == 2, "too bad a judge"

def test_complete(case):
    assert case.run()["complete"]

def test_left_out(case):
    import pytest
    pytest.skip("not today")
"""


@pytest.mark.parametrize("order", ["as it stands", "the other way"])
def test_of_two_tests_of_a_case_the_worst_outcome_counts(bench, order):
    """In the report, with the scores, and in the baseline, which doesn't take it for clean."""
    tests = TWO_TESTS if order == "as it stands" else TWO_TESTS.replace("test_good", "test_z_good")
    if order != "as it stands":
        first, *others = tests.strip().split("\n\n")
        tests = "\n\n".join([*others, first])
    bench.pytester.makepyfile(test_bench=tests)
    result = bench.run("-k", "judge and S1 and toy", "--emoprefer-save", "mine")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    case = bench.cases()["judge-S1-toy"]
    assert case["outcome"] == "failed"
    assert "too bad a judge" in case["reason"]
    assert case["scores"]["acc2"]["mean"] is not None
    result.stdout.fnmatch_lines(["*0 cases saved, 0 in all; left out: judge-S1-toy (failed)"])


def test_reruns_ask_again_what_failed_and_nothing_else(bench):
    """A question that fails once is asked once more; those that were answered, of either case, come from the store."""
    bench.pytester.makeconftest(
        """
        import emoprefer_bench
        keys = []
        def answer(question):
            keys.append(question.key)
            with open("asked.txt", "a") as noted:
                noted.write(question.key + "\\n")
            if len(keys) == 1:
                raise RuntimeError("CUDA out of memory (passing)")
            return "a1"
        @emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
        def flaky(gpus):
            return emoprefer_bench.function(answer, name="flaky", version="1")
        """
    )
    failed = bench.run("-k", "flaky and toy", "-p", "no:rerunfailures")
    failed.assert_outcomes(passed=1, failed=1)
    first = bench.asked()
    (bench.pytester.path / "asked.txt").unlink()
    elsewhere = ("--emoprefer-out", "elsewhere")
    result = bench.run("-k", "flaky and toy", "--reruns", "3", *elsewhere, "--junitxml", "junit.xml")
    assert result.parseoutcomes() == {"passed": 2, "rerun": 1, "deselected": result.parseoutcomes()["deselected"]}
    assert len(bench.asked()) == len(first) + 1
    assert len(set(bench.asked())) == len(first)
    cases = bench.report("elsewhere/report.json")["cases"]
    assert {case["id"]: (case["outcome"], case["reason"]) for case in cases} == {
        "flaky-S1-toy": ("passed", None),
        "flaky-S2-toy": ("passed", None),
    }
    junit = (bench.pytester.path / "junit.xml").read_text()
    assert junit.count('name="emoprefer.waf2"') == 2


def test_reruns_that_fail_each_time_fail_in_the_end(bench):
    """Each asks once more, and the last outcome is the case's."""
    bench.pytester.makeconftest(
        """
        import emoprefer_bench
        def answer(question):
            with open("asked.txt", "a") as noted:
                noted.write(question.key + "\\n")
            raise RuntimeError("no such luck")
        @emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
        def broken(gpus):
            return emoprefer_bench.function(answer, name="broken", version="1")
        """
    )
    result = bench.run("-k", "broken and toy", "--reruns", "2")
    assert result.parseoutcomes()["rerun"] == 2
    result.assert_outcomes(failed=1)
    assert len(bench.asked()) == 3 * len(set(bench.asked()))
    assert bench.cases()["broken-S1-toy"]["outcome"] == "failed"


UNWRITABLE = [
    ("--emoprefer-out", "toy.csv/out", "*--emoprefer-out data/toy.csv/out: */data/toy.csv/out can't be written (*)*"),
    ("--emoprefer-json", "toy.csv/x.json", "*--emoprefer-json */x.json: can't be written (*): name another file"),
    ("--emoprefer-html", "", "*--emoprefer-html */data: can't be written (it is a folder): name another file"),
    ("--emoprefer-predictions", "toy.csv/p", "*--emoprefer-predictions */p: can't be written (*): name another file"),
]


@pytest.mark.parametrize(
    ("option", "path", "sentence", "workers"),
    [(*unwritable, ()) for unwritable in UNWRITABLE] + [(*UNWRITABLE[0], ("-n", "1"))],
)
def test_what_cannot_be_written_ends_the_run_before_anything_is_asked(bench, option, path, sentence, workers):
    """One sentence, status 4, and no word of a report."""
    result = bench.run("-k", "judge and S1 and toy", option, f"data/{path}".rstrip("/"), *workers, apart=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (result.stdout if workers else result.stderr).fnmatch_lines([sentence])
    said = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in said
    assert "report:" not in said
    assert bench.asked() == []


def test_a_project_without_cases_writes_nothing_wherever_it_runs(bench):
    """A folder that can't be written is no business of a run that asks nobody."""
    bench.pytester.makepyfile(test_plain="def test_it(): pass")
    bench.run("test_plain.py", "--emoprefer-out", "data/toy.csv/out").assert_outcomes(passed=1)


def test_a_run_of_skips_alone_leaves_the_last_report(bench):
    """It says so, and what was asked for by name is written all the same."""
    bench.run("-k", "judge and S1 and toy").assert_outcomes(passed=1)
    result = bench.run("-k", "judge and S1 and emopreferv2", "--emoprefer-json", "here.json")
    result.assert_outcomes(skipped=1)
    assert list(bench.cases()) == ["judge-S1-toy"]
    result.stdout.fnmatch_lines(["nothing was asked, so .emoprefer/report.json stays that of the run before"])
    assert [case["outcome"] for case in bench.report("here.json")["cases"]] == ["skipped"]


def test_without_cases_xdist_distributes_and_counts_workers_as_it_would_alone(bench, monkeypatch):
    """A foreign project's `-n 2` gets xdist's own scheduler, and its `-n auto` no worker for each GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "1")
    noting = "def test_it(n, request): assert request.config.workerinput['workercount'] == {count}"
    bench.pytester.makepyfile(
        test_plain="import pytest\n@pytest.mark.parametrize('n', range(5))\n" + noting.format(count=1)
    )
    (bench.pytester.path / "conftest.py").unlink()
    (bench.pytester.path / "test_bench.py").unlink()
    result = bench.run("-n", "auto", "-p", "check_scheduler", "test_plain.py")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["scheduled by LoadScheduling"])


@pytest.fixture(autouse=True)
def check_scheduler(pytester):
    """A plugin that says what schedules."""
    pytester.makepyfile(
        check_scheduler="""
        import pytest
        @pytest.hookimpl(trylast=True)
        def pytest_terminal_summary(terminalreporter, config):
            session = config.pluginmanager.get_plugin("dsession")
            if session:
                chosen = getattr(session.sched, "_chosen", session.sched)
                terminalreporter.write_line(f"scheduled by {type(chosen).__name__}")
        """
    )
    pytester.syspathinsert()


def test_without_the_plugin_a_conftest_with_models_still_loads(bench):
    """`-p no:emoprefer`: a project's other tests run."""
    bench.pytester.makepyfile(test_plain="def test_it(): pass")
    result = bench.pytester.runpytest_subprocess("-p", "no:emoprefer", "test_plain.py")
    result.assert_outcomes(passed=1)


def test_another_plugins_warning_does_not_end_a_run_of_the_benchmarks(tmp_path):
    """As pytest-benchmark's beside xdist: only the project's own tests let no warning pass."""
    (tmp_path / "anxious.py").write_text("import warnings\ndef pytest_configure(): warnings.warn('oh dear')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "pytest", "-p", "anxious", "benchmarks", "-k", "longer and demo", "--collect-only"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "oh dear" in run.stdout + run.stderr
