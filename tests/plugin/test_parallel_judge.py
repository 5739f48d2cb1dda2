"""Two copies of the small judge that watches say what one says, and are as right."""

from __future__ import annotations

from support.watching import DEMO

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS

CONFTEST = """
import emoprefer_bench

ASKED = {{"max_tokens": 8, "min_pixels": {pixels}, "max_pixels": {pixels}, "batch_size": 4}}

@emoprefer_bench.model(gpus=0, modality="audiovideo", prompts=("S1",))
def alone(gpus):
    return emoprefer_bench.transformers({folder!r}, gpus=gpus, **ASKED)

@emoprefer_bench.model(gpus=0, modality="audiovideo", prompts=("S1",))
def two(gpus):
    return emoprefer_bench.transformers({folder!r}, gpus=gpus, data_parallel=2, **ASKED)
"""


def test_two_replicas_give_the_verdicts_of_one(bench):
    """On the demo's clips, each asked anew: a clip that reached the wrong replica's question would cost points."""
    bench.pytester.makeconftest(CONFTEST.format(folder=str(JUDGE), pixels=JUDGE_PIXELS))
    data = ("--emoprefer-data", f"clips={DEMO / 'preference_demo.csv'}")
    cases = []
    for name in ("alone", "two"):
        bench.run("-k", f"{name} and clips", *data, "--emoprefer-limit=16", "--emoprefer-fresh", apart=True)
        cases.append(bench.cases()[f"{name}-S1-clips"])
        assert cases[-1]["questions"]["asked"] == 32
        assert cases[-1]["scores"]["waf3"]["mean"] >= 0.95
    assert cases[0]["verdicts"] == cases[1]["verdicts"]
    assert cases[1]["engine"]["judge"]["device"].startswith("2 x")
