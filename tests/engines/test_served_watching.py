"""The small judge behind vLLM's own server, held to what the same judge says and weighs in transformers.

The server decodes a clip's video by itself and takes other frames of it than we do, and it lays out sound and picture
one behind the other. So verdicts are compared as they come, and what texts weigh where both are given the same.
"""

from __future__ import annotations

import av
import numpy as np
import pytest
from support.watching import DEMO, PACK, Watcher, rows

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS
from emoprefer_bench.engines.families import adapter
from emoprefer_bench.pairs import LABELS

ALL = rows(DEMO / "preference_demo.csv")
BOTH_ORDERS = [turn for row in ALL for turn in (row, row.turned)]
WRITTEN = ["She is sad, and it isn't meant.", ALL[0].a1, ALL[0].a2, "a1"]


@pytest.fixture(scope="module")
def served(start, vllm_server):
    """The child that asks the server."""
    child = start("-m", "emoprefer_bench.engines.children.openai")
    child.ready = child.load("tiny", base_url=f"http://{vllm_server}/v1", system=adapter("qwen25omni").system)
    assert child.ready["type"] == "ready", child.ready
    return child


@pytest.fixture(scope="module")
def local(start):
    """The judge in transformers."""
    child = start("-m", "emoprefer_bench.engines.children.transformers")
    ready = child.load(JUDGE, min_pixels=JUDGE_PIXELS, max_pixels=JUDGE_PIXELS, batch_size=8)
    assert ready["type"] == "ready", f"{ready} {child.log_end()}"
    return child


@pytest.mark.parametrize("modality", ["audiovideo", "audio", "video"])
def test_verdicts_are_the_same(served, local, modality, tmp_path):
    """On all of the demo, in both orders, though the server decodes the video in a way of its own."""
    told, expected = (Watcher(child, tmp_path).verdicts(BOTH_ORDERS, modality) for child in (served, local))
    assert set(expected) >= {"a1", "a2"}
    assert told == expected


def weighing(prompt, texts, clip=None, modality="text"):
    """A question that weighs."""
    return {
        "prompt": prompt, "texts": None, "subtitle": None, "modality": modality, "clip": clip, "sampling": None,
        "score": list(texts),
    }  # fmt: skip


def as_the_server_sees(clip, folder):
    """The same clip with the frames that vLLM's server takes of a video: as far from each other as its 2 a second are.

    So its loader has it (vllm/multimodal/video.py, Qwen2VLVideoBackend), and transformers' sample_frames.
    """
    with av.open(clip["video"]) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    count = len(clip["indices"])
    taken = [int(number * len(frames) / count) for number in range(count)]
    np.save(folder / "seen.npy", [frames[number] for number in taken])
    return {**clip, "frames": str(folder / "seen.npy"), "indices": taken, "fps": 2.0}


@pytest.mark.parametrize("modality", ["text", "audio", "video"])
def test_texts_weigh_the_same(served, local, modality, tmp_path):
    """To 1e-4: any text, together or alone, and labels, of which some stand among the likeliest words."""
    clip = None if modality == "text" else Watcher(local, tmp_path)._clip(ALL[0].clip, None)
    if modality == "video":
        clip = as_the_server_sees(clip, tmp_path)
    judging = PACK.render("judge", a1=ALL[0].a1, a2=ALL[0].a2)
    asked = [
        weighing(PACK.render("describe"), WRITTEN, clip, modality),
        *(weighing(PACK.render("describe"), [text], clip, modality) for text in WRITTEN),
        weighing(judging, LABELS, clip, modality),
    ]
    assert served.ready["scores"] is True
    for answer, expected in zip(served.ask(*asked), local.ask(*asked), strict=True):
        assert answer["type"] == "answer", answer
        assert [answer["tokens"][kind] for kind in ("audio", "video")] == [
            expected["tokens"][kind] for kind in ("audio", "video")
        ]
        for weighed, known in zip(answer["logprobs"], expected["logprobs"], strict=True):
            assert weighed == pytest.approx(known, abs=1e-4)
