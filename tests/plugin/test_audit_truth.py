"""The audit finds out judges of which the truth is known: the small one that watches, and damaged copies of it."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file
from support.watching import DEMO

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS

ROWS = 24
CONFTEST = """
import emoprefer_bench

@emoprefer_bench.model(gpus=0, modality="audiovideo", prompts=("S1",))
def judge(gpus):
    return emoprefer_bench.transformers(
        {folder!r}, gpus=gpus, batch_size=8, max_tokens=8, min_pixels={pixels}, max_pixels={pixels}
    )
"""


def _deaf(weights, _words):
    for name in weights:
        if name.startswith("thinker.audio_tower.proj."):
            weights[name].zero_()


def _blind(weights, _words):
    for name in weights:
        if name.startswith("thinker.visual.merger.mlp.2."):
            weights[name].zero_()


def _always_first(weights, words):
    """What speaks for `a2`, or for `same`, speaks for `a1` as much, and of equals the first is said."""
    said = weights["thinker.lm_head.weight"]
    said[words["2"]] = said[words["1"]]
    said[words["same"]] = said[words["a"]]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda *_: None, "goes by what it hears and what it sees: with either alone", id="whole"),
        pytest.param(_deaf, "goes by what it sees: without the sound", id="deaf"),
        pytest.param(_blind, "goes by what it hears: without the picture", id="blind"),
        pytest.param(_always_first, "goes by the texts: without the clip", id="always first"),
    ],
)
def test_the_audit_names_what_a_judge_is(bench, damage, said):
    """Each damage is told by the right sentence and no other."""
    folder = bench.data / "damaged"
    shutil.copytree(JUDGE, folder)
    weights = load_file(folder / "model.safetensors")
    damage(weights, json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    bench.pytester.makeconftest(CONFTEST.format(folder=str(folder), pixels=JUDGE_PIXELS))
    data = ("--emoprefer-data", f"clips={DEMO / 'preference_demo.csv'}")
    result = bench.run("-k", "judge and clips", *data, f"--emoprefer-limit={ROWS}", "--emoprefer-audit", apart=True)
    result.assert_outcomes(passed=5)
    (line,) = [line for line in result.outlines if line.startswith("judge-S1-clips goes by")]
    assert said in line
    first = bench.cases()["judge-S1-clips"]["scores"]["first_slot"]["mean"]
    assert (first == 1) == (damage is _always_first)
