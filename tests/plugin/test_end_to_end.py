"""The whole path for real: pytest, a demo clip, a tiny Qwen2.5-Omni in each engine, and the report."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DEMO = TESTS.parent / "dataset" / "demo"

CONFTEST = """
import emoprefer_bench

@emoprefer_bench.model(gpus=0, modality="audiovideo", llm="reader")
def tiny(gpus):
    return emoprefer_bench.{engine}({omni!r}, gpus=gpus, max_tokens=4, min_pixels=3136, max_pixels=12544, {options})

@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
def reader(gpus):
    return emoprefer_bench.transformers({text!r}, gpus=gpus, max_tokens=4)
"""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A tiny Qwen2.5-Omni and a tiny text LLM, with random weights."""
    folder = tmp_path_factory.mktemp("checkpoints")
    subprocess.run([sys.executable, TESTS / "support" / "checkpoints", folder, "omni", "text"], check=True, timeout=600)
    return folder


@pytest.mark.parametrize(
    ("engine", "options"),
    [("transformers", "batch_size=4"), ("vllm", "max_model_len=4096, max_num_seqs=8")],
)
def test_a_tiny_omni_hears_and_sees_the_demo(bench, checkpoints, engine, options):
    """S1-S4 in both orders: every answer about a clip counted sound and picture; a second run asks nothing."""
    shutil.copytree(DEMO, bench.data / "clips")
    paths = {"omni": str(checkpoints / "omni"), "text": str(checkpoints / "text")}
    bench.pytester.makeconftest(CONFTEST.format(engine=engine, options=options, **paths))
    clips = f"clips={bench.data / 'clips' / 'preference_demo.csv'}"
    unread = ("--emoprefer-compare-fail", "min_answered:0")  # random weights say what they like
    bench.options = ["--emoprefer-data", clips, "--emoprefer-limit=2", *unread]
    bench.run("-k", "tiny and clips", apart=True).assert_outcomes(passed=4)
    first = bench.cases()
    for prompt, about_the_clip in (("S1", 4), ("S2", 8), ("S3", 4), ("S4", 4)):
        case = first[f"tiny-{prompt}-clips"]
        assert case["complete"]
        assert case["media"] == {"answers": about_the_clip, "heard": about_the_clip, "seen": about_the_clip}
        assert case["engine"]["judge"]["engine"].startswith(engine)
        assert sum(case["provenance"].values()) == 4
    assert first["tiny-S4-clips"]["llm"] == "reader"

    bench.run("-k", "tiny and clips", apart=True).assert_outcomes(passed=4)
    for name, case in bench.cases().items():
        assert case["questions"]["asked"] == 0, name
        assert case["verdicts"] == first[name]["verdicts"]
