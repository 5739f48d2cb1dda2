"""Models on xdist's workers, and what is left of a worker that dies."""

from __future__ import annotations

import pytest

from emoprefer_bench.plugin.scheduling import model_in

NOTING = """
import os, pathlib, emoprefer_bench

HERE = pathlib.Path(__file__).parent

def noting(name, fatal=None, once=True):
    def answer(question):
        with (HERE / "asked.txt").open("a") as noted:
            noted.write(question.key + "\\n")
        with (HERE / f"{name}.pids").open("a") as noted:
            noted.write(f"{os.getpid()}\\n")
        died = HERE / "died"
        if fatal and fatal in question.prompt and not died.exists():
            if once:
                died.touch()
            os._exit(9)
        return "The person is glad." if "Describe" in question.prompt else "a1"
    return emoprefer_bench.function(answer, name=name, durable=True)
"""
THREE = NOTING + "".join(
    f"""
@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def model{number}(gpus):
    return noting("model{number}")
"""
    for number in range(3)
)
FATAL = (
    NOTING
    + """
@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def judge(gpus):
    return noting("judge", fatal="The person is glad.", once=ONCE)

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1", "S2"))
def other(gpus):
    return noting("other")
"""
)


@pytest.mark.parametrize(
    ("nodeid", "model"),
    [
        ("benchmarks/test_preference.py::test_preference[qwen-S1-demo]", "qwen"),
        ("benchmarks/test_preference.py::test_preference[longer-demo]", "longer"),
        ("benchmarks/test_preference.py::test_preference[qwen-S1-demo-blind]", "qwen"),
        ("test_it.py::test_plain", None),
        ("test_it.py::test_with_parameters[one-two]", None),
    ],
)
def test_the_model_stands_first_in_the_parameters(nodeid, model):
    """A test that names no data set is no case, and belongs to no model."""
    assert model_in(nodeid, ("demo", "emoprefer")) == model


def test_all_cases_of_a_model_run_on_one_worker(bench):
    """Three models on two workers, and every model in one process."""
    bench.pytester.makeconftest(THREE)
    bench.run("-k", "toy and model", "-n", "2").assert_outcomes(passed=6)
    pids = [set((bench.pytester.path / f"model{number}.pids").read_text().split()) for number in range(3)]
    assert [len(of_model) for of_model in pids] == [1, 1, 1]
    assert len(set.union(*pids)) == 2


def test_plain_tests_run_beside_the_models(bench):
    """A project's other tests are units of their own, of one item each, and all of them run."""
    bench.pytester.makepyfile(test_plain="import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): pass")
    bench.run("-k", "test_it or (toy and judge)", "-n", "2").assert_outcomes(passed=9 + 4)


def test_a_dead_worker_fails_the_case_it_was_on_and_lf_goes_on_from_its_answers(bench):
    """The rest goes to another worker; `--lf` runs that case alone and asks nothing that was answered."""
    bench.pytester.makeconftest(FATAL.replace("ONCE", "True"))
    result = bench.run("-k", "toy and (judge or other)", "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*worker 'gw?' crashed while running*judge-S1-toy*"])
    assert [case["outcome"] for case in bench.cases().values()].count("passed") == 3
    again = bench.run("--lf", "-k", "toy", "-n", "2")
    again.assert_outcomes(passed=1)
    asked = bench.asked()
    assert len(asked) - len(set(asked)) == 1, "only what was in flight was asked twice"


@pytest.mark.parametrize(
    ("fatal", "passing"),
    [
        ("The person is glad.", {"other-S1-toy", "other-S2-toy"}),
        ("fits the clip better", {"judge-S2-toy", "other-S1-toy", "other-S2-toy"}),
    ],
)
def test_a_case_that_always_takes_its_worker_down_fails_alone(bench, fatal, passing):
    """The case that the first worker was on fails, and the one that kills it; all others pass on another worker."""
    bench.pytester.makeconftest(
        FATAL.replace("ONCE", "False").replace('fatal="The person is glad."', f'fatal="{fatal}"')
    )
    result = bench.run("-k", "toy and (judge or other)", "-n", "2")
    result.assert_outcomes(passed=len(passing), failed=4 - len(passing))
    assert {name for name, case in bench.cases().items() if case["outcome"] == "passed"} == passing


@pytest.mark.parametrize("dist", ["worksteal", "loadscope", "loadfile", "each"])
def test_other_ways_to_distribute_give_the_same_scores(bench, dist):
    """A worker asks for its own cases alone; what two workers ask at the same time may be asked twice, never lost."""
    bench.run("-k", "toy and judge")
    alone = {name: case["scores"] for name, case in bench.cases().items()}
    bench.run("-k", "toy and judge", "-n", "2", "--dist", dist, "--emoprefer-fresh")
    assert {name: case["scores"] for name, case in bench.cases().items()} == alone
