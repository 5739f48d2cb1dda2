"""Every family that vLLM has a tiny checkpoint of, in vLLM: what reaches the model, and that it counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("families_in_vllm.py")
WORDS = "Which description fits the clip better, a1 or a2?"
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
FAMILIES = {
    "qwen3_omni": ("audiovideo", {"audio": 39, "video": 27}, SMALL),
    "qwen25_vl": ("video", {"video": 48}, SMALL),
    "qwen3_vl": ("video", {"video": 48}, {}),
    "qwen2_audio": ("audio", {"audio": 75}, {}),
    "llava_next_video": ("video", {"video": 294}, {}),
    "internvl": ("video", {"video": 24}, {}),
}


@pytest.fixture(scope="module")
def answers(checkpoint, question, tmp_path_factory):
    """Ask each about two clips."""
    folder = tmp_path_factory.mktemp("vllm-families")
    sizes = {"max_model_len": 2048, "kv_cache_memory_bytes": 64 << 20}
    jobs = []
    for name, (modality, _, options) in FAMILIES.items():
        clips = ("red-low", "blue-low") if "video" in modality else ("red-low", "red-high")
        message = {"model": str(checkpoint(name)), "revision": None, "options": {**options, **sizes}}
        jobs.append([name, message, [question(WORDS, clip, modality, max_tokens=12) for clip in clips]])
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, str(SCRIPT), str(folder / "jobs.json"), str(folder / "results.json")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)
    assert (folder / "results.json").exists(), (done.stdout + done.stderr)[-4000:]
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("name", FAMILIES)
def test_media_reach_the_model(answers, name):
    """Each family counts its media, and another clip gets another answer."""
    first, second = answers[name]
    assert first["type"] == second["type"] == "answer", first
    counted = {kind: count for kind, count in first["tokens"].items() if kind in ("audio", "video")}
    assert counted == FAMILIES[name][1]
    assert first["text"] != second["text"]
