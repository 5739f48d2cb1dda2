"""A project as version 0.1 knew it: its answers and its baseline, written by 0.1, must serve later versions."""

import sys
from pathlib import Path

import emoprefer_bench

WORKER = Path(__file__).with_name("judge.py")


@emoprefer_bench.model(gpus=0, modality="text+subtitle", llm="judge")
def judge(gpus):
    """A worker whose answers depend on the question alone."""
    return emoprefer_bench.external(f"{sys.executable} {WORKER}", version="1", model="kept")


@emoprefer_bench.model(gpus=0, modality="audio+subtitle", prompts=())
def hearer(gpus):
    """The judge by voice and words, which decodes sound."""
    return emoprefer_bench.listener()
