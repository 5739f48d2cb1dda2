"""The positions of tokens: those that the models were trained with, and the same in both engines."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

from emoprefer_bench.engines.children import positions

SCRIPT = Path(__file__).parents[1] / "support" / "first_tokens.py"
SIZES = {"max_model_len": 2048, "kv_cache_memory_bytes": 64 << 20}
SMALL = {"min_pixels": 3136, "max_pixels": 12544}
WORDS = "Which fits, a1 or a2?"
TIMED = ["2s-4", "3s-4", "3s-6", "7s-14", "10s-20", "1.84s-4", "4.04s-6", "5.2s-8", "12.6s-12"]
ASKED = {
    "omni": [*((clip, "audiovideo") for clip in TIMED), ("3s-4", "video"), ("12.6s-12", "video"), ("3s-4", "audio")],
    "qwen25_vl": [(clip, "video") for clip in TIMED],
}


@pytest.fixture(scope="module")
def answers(checkpoint, question, tmp_path_factory):
    """Ask both engines: answers and log-probabilities by engine, checkpoint and question."""
    folder = tmp_path_factory.mktemp("first-tokens")

    def ask(engine, sizes):
        jobs = []
        for name, asked in ASKED.items():
            message = {"model": str(checkpoint(name)), "revision": None, "options": {**SMALL, **sizes}}
            jobs.append([name, message, [question(WORDS, *about, max_tokens=12) for about in asked]])
        (folder / "jobs.json").write_text(json.dumps(jobs))
        command = [sys.executable, str(SCRIPT), engine, str(folder / "jobs.json"), str(folder / f"{engine}.json")]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
        assert (folder / f"{engine}.json").exists(), (done.stdout + done.stderr)[-4000:]
        return json.loads((folder / f"{engine}.json").read_text())

    return {"transformers": ask("transformers", {}), "vllm": ask("vllm", SIZES)}


@pytest.mark.parametrize("name", ASKED)
def test_engines_agree(answers, name):
    """For clips of any length and rate: the same tokens to the end, and in 32-bit floats the same log-probabilities.

    Those of the first token differ by less than 1e-4; where positions were others, they differed by 0.25 to 0.9.
    """
    for about, ours, theirs in zip(ASKED[name], answers["transformers"][name], answers["vllm"][name], strict=True):
        (tokens, first), (their_tokens, their_first) = ours, theirs
        assert their_tokens == tokens, about
        assert their_first == pytest.approx({token: first[token] for token in their_first}, abs=1e-4), about


@pytest.fixture(scope="module")
def thinker(checkpoint):
    """What transformers numbers Qwen2.5-Omni's tokens by: its code and the checkpoint's settings, without weights."""
    model = Qwen2_5OmniThinkerForConditionalGeneration.__new__(Qwen2_5OmniThinkerForConditionalGeneration)
    torch.nn.Module.__init__(model)
    model.config = AutoConfig.from_pretrained(checkpoint("omni")).thinker_config
    model.spatial_merge_size = model.config.vision_config.spatial_merge_size
    return model


def laid_out(config, image, sounds):
    """Write a prompt with sound in picture as the authors lay it out: by 2 s, of each first the picture."""
    chunk = int(config.position_id_per_seconds * config.seconds_per_chunk)
    chunks = itertools.zip_longest(*(
        [list(group) for _, group in itertools.groupby(times, lambda time: time // chunk)]
        for times in (image[0].tolist(), range(sounds))
    ), fillvalue=())  # fmt: skip
    inside = []
    for seen, heard in chunks:
        inside += [config.video_token_id] * len(seen) + [config.audio_token_id] * len(heard)
    before = [7, 8, config.vision_start_token_id]
    behind = [config.vision_end_token_id, 9, 10, 11]
    return [*before, config.audio_start_token_id, *inside, config.audio_end_token_id, *behind]


@pytest.mark.parametrize("sounding", [0.5, 1.0, 1.3], ids=["short sound", "equal", "long sound"])
@pytest.mark.parametrize("seconds", [2, 3, 7, 10, 1.84, 4.04, 5.2, 12.6, 61.3])
def test_sound_in_picture_stands_where_transformers_puts_it(thinker, seconds, sounding):
    """Its `get_rope_index` is the authors' own; checked for sound that ends before the picture, with it and behind."""
    steps = max(2, int(seconds))
    a_step = seconds / steps
    spectrum = int(100 * seconds * sounding)
    sounds = ((spectrum - 1) // 2 + 1 - 2) // 2 + 1
    image = positions.picture((steps, 3, 2), float(torch.tensor(a_step)), 25)
    tokens = laid_out(thinker.config, image, sounds)
    expected, delta = thinker.get_rope_index(
        torch.tensor([tokens]), None, torch.tensor([[steps, 6, 4]]), torch.ones(1, len(tokens), dtype=torch.long),
        use_audio_in_video=True, audio_seqlens=torch.tensor([spectrum]), second_per_grids=torch.tensor([a_step]),
    )  # fmt: skip
    span = positions._sounding(thinker.config, np.array(tokens), 3, len(tokens) - 7, image)
    placed = positions.numbered(len(tokens), [span])
    assert placed.tolist() == expected[:, 0].tolist()
    assert placed.max() + 1 - len(tokens) == delta.item()


def test_times_are_multiplied_as_the_authors_do():
    """In 32 bits: the fifth step of 2.1 s stands at 21, where 64 bits of the same numbers leave it at 20."""
    seconds = float(np.float32(2.1))
    assert int(5 * seconds * 2) == 20
    assert positions.picture((6, 1, 1), seconds, 2)[0].tolist() == [0, 4, 8, 12, 16, 21]


def test_media_that_vllm_names_get_their_places(thinker):
    """A picture counts by the clock and by rows and columns, what follows stands behind its greatest position."""
    config = thinker.config
    grid = {"video_grid_thw": SimpleNamespace(data=torch.tensor([2, 4, 4]))}
    time = {"second_per_grid_ts": SimpleNamespace(data=torch.tensor(1.0))}
    picture = SimpleNamespace(modality="video", data={**grid, **time}, mm_position=SimpleNamespace(offset=2, length=8))
    sound = SimpleNamespace(modality="audio", data={}, mm_position=SimpleNamespace(offset=12, length=3))
    spans = list(positions._spans(config, np.zeros(17, int), [sound, picture]))
    assert positions.numbered(17, spans).tolist() == [
        [0, 1, 2, 2, 2, 2, 27, 27, 27, 27, 28, 29, 30, 31, 32, 33, 34],
        [0, 1, 2, 2, 3, 3, 2, 2, 3, 3, 28, 29, 30, 31, 32, 33, 34],
        [0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 28, 29, 30, 31, 32, 33, 34],
    ]


def test_another_layout_is_refused(thinker):
    """Were the marks elsewhere, or were there other tokens between them, positions would be wrong without a word."""
    image = positions.picture((2, 3, 2), 1.0, 25)
    tokens = np.array(laid_out(thinker.config, image, 50))
    for start, length in ((4, len(tokens) - 8), (3, len(tokens) - 8)):
        with pytest.raises(RuntimeError, match="lays out sound in picture in another way"):
            positions._sounding(thinker.config, tokens, start, length, image)
    tokens[10] = 7
    with pytest.raises(RuntimeError, match="lays out sound in picture in another way"):
        positions._sounding(thinker.config, tokens, 3, len(tokens) - 7, image)


def test_what_follows_a_video_stands_behind_it():
    """Prompts of a batch, padded at the left: as the authors' code for training has it, "max vision plus 1"."""
    positions.mend_transformers()
    positions.mend_transformers()  # a second time changes nothing
    model = Qwen2_5_VLModel.__new__(Qwen2_5_VLModel)
    torch.nn.Module.__init__(model)
    vision = SimpleNamespace(spatial_merge_size=2, tokens_per_second=2)
    model.config = SimpleNamespace(vision_config=vision)
    kinds = torch.tensor([[0, 0, 0, *[2] * 12, 0, 0], [0, *[2] * 12, 0, *[1] * 2, 0]])
    mask = torch.ones_like(kinds)
    mask[0, :2] = 0
    placed, deltas = model.get_rope_index(
        torch.zeros_like(kinds), kinds, attention_mask=mask, image_grid_thw=torch.tensor([[1, 2, 4]]),
        video_grid_thw=torch.tensor([[3, 4, 4], [3, 4, 4]]), second_per_grid_ts=torch.tensor([1.5, 0.5]),
    )  # fmt: skip
    assert placed[0, 0].tolist() == [0, 0, 0, *[1] * 4, *[4] * 4, *[7] * 4, 8, 9]
    assert placed[0, 1].tolist() == [0, *[1] * 4, *[2] * 4, *[3] * 4, 4, 5, 5, 7]
    assert placed[2, 1].tolist() == [0, *[1, 2, 1, 2] * 3, 4, 5, 6, 7]
    assert deltas.flatten().tolist() == [10 - 15, 8 - 17]


def test_an_engine_that_numbers_tokens_otherwise_is_refused():
    """A method that is gone, or that takes other arguments, can't be mended: the message says what to do."""

    class Changed:
        def get_rope_index(self, batch):
            """Take other arguments."""

    for name in ("get_rope_index", "gone"):
        with pytest.raises(RuntimeError, match=r"use a version that docs/models\.md names, or the other engine"):
            positions._check(Changed, name, positions.TRANSFORMERS_TAKES)
