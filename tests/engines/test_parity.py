"""What the models of the paper's twins are really fed, on tiny checkpoints: the facts of the paper's code.

They are those that its own script showed beside ours: each step of a video lasts 1.0 s whatever the clip, since the
processor is never told its frame rate, while prompts, tokens, grids and pixels are the same.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoProcessor

from emoprefer_bench import prompts
from emoprefer_bench.engines.children.encoding import Encoder
from emoprefer_bench.engines.children.inputs import media_of
from emoprefer_bench.engines.children.vllm import Vllm
from emoprefer_bench.engines.families import adapter

# transformers counts sounds with tensors of the kind that numpy warns of
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"min_pixels": 3136, "max_pixels": 12544}
TIMES = {"qwen25omni": "video_second_per_grid", "qwen25vl": "second_per_grid_ts"}
CHECKPOINTS = {"qwen25omni": "omni", "qwen25vl": "qwen25_vl"}
MODALITIES = {"qwen25omni": "audiovideo", "qwen25vl": "video"}


@pytest.fixture(scope="module")
def fed(checkpoint):
    """Encode a question for a family as its child in transformers does."""
    processors = {family: AutoProcessor.from_pretrained(checkpoint(name)) for family, name in CHECKPOINTS.items()}

    def encode(family, asked, **options):
        processor = copy.copy(processors[family])  # an encoder puts parts of its own into it
        return Encoder(adapter(family, **SMALL, **options), processor).encode(asked)

    return encode


@pytest.mark.parametrize("family", CHECKPOINTS)
@pytest.mark.parametrize(("clip", "seconds"), [("3s-4", 1.5), ("3s-6", 1.0), ("5.2s-8", 1.3), ("12.6s-12", 2.1)])
def test_a_step_of_the_picture_lasts_a_second_for_the_paper(fed, question, family, clip, seconds):
    """And as long as it lasts, for us: two frames of the clip."""
    asked = question("Which?", clip, MODALITIES[family])
    assert fed(family, asked)[1][TIMES[family]].tolist() == pytest.approx([seconds])
    assert fed(family, asked, frame_rate=2.0)[1][TIMES[family]].tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("family", CHECKPOINTS)
def test_nothing_but_time_changes_with_the_frame_rate(fed, question, family):
    """Words, pixels, grids and sound are the same, and so is each token, though its place among others may not be."""
    asked = question("Which?", "5.2s-8", MODALITIES[family])
    (text, ours, counts), (others_text, others, others_counts) = fed(family, asked), fed(family, asked, frame_rate=2.0)
    assert (text, counts) == (others_text, others_counts)
    assert set(ours) == set(others)
    for name in set(ours) - {TIMES[family]}:
        first, second = ours[name], others[name]
        if first.shape == ours["input_ids"].shape:
            first, second = first.sort().values, second.sort().values
        assert torch.equal(first, second), name


def test_vllm_is_told_the_same(question):
    """The rate goes where vLLM lays out the prompt, and where it counts time; other families read it off the frames."""
    engine = SimpleNamespace(get_tokenizer=SimpleNamespace)
    omni = Vllm(engine, adapter("qwen25omni", frame_rate=2.0), None, {}, None, {})
    media = media_of(omni._adapter, question("Which?", "5.2s-8", "audiovideo"))
    told = omni._media("audiovideo", media)["mm_processor_kwargs"]
    assert told == {"fps": 2.0, "second_per_grid_ts": [1.0], "use_audio_in_video": True}
    metadata = omni._media("video", media)["multi_modal_data"]["video"][0][1]
    assert len(metadata["frames_indices"]) / metadata["total_num_frames"] * metadata["fps"] == pytest.approx(2.0)


def test_texts_reach_the_paper_on_one_line(fed, question, tmp_path):
    """The tokens of a prompt of folded texts are those of the same texts written on one line."""
    pack = tmp_path / "pack.toml"
    pack.write_text(prompts.DEFAULT.read_text() + '\nwhitespace = "fold"\n')
    folding, keeping = prompts.load(pack), prompts.load()
    texts = {"a1": "In the video:\n- sad\n\t- tired\n", "a2": "\tglad  and calm "}
    lines = {"a1": "In the video: - sad  - tired", "a2": "glad  and calm"}
    words = folding.render("judge", **texts)
    assert words == keeping.render("judge", **lines) != keeping.render("judge", **texts)
    (_, folded, _), (_, written, _) = (
        fed("qwen25omni", question(prompt, "3s-4", "audiovideo"))
        for prompt in (words, keeping.render("judge", **lines))
    )
    assert torch.equal(folded["input_ids"], written["input_ids"])
