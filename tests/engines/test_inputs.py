from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from emoprefer_bench.engines.children.inputs import Prompter, by_template, conversation, marks_thoughts, media_of
from emoprefer_bench.engines.families import FAMILIES, adapter

OMNI = FAMILIES["qwen25omni"]


def kinds(message):
    """Return the kinds of a message's parts, in order."""
    return [part["type"] for part in message["content"]]


@pytest.mark.parametrize(
    ("family", "modality", "expected"),
    [
        ("qwen25omni", "audiovideo", ["video", "text"]),
        ("qwen25omni", "video", ["video", "text"]),
        ("qwen25omni", "audio", ["audio", "text"]),
        ("qwen25omni", "text", ["text"]),
        ("qwen2audio", "audio", ["audio", "text"]),
        ("qwen3vl", "video", ["video", "text"]),
    ],
)
def test_media_stand_before_the_text(question, family, modality, expected):
    """The clip comes first, so that questions about it share a prefix; sound in a picture has no place of its own."""
    message = conversation(FAMILIES[family], question("Which?", "red-low", modality))[-1]
    assert kinds(message) == expected
    assert message["content"][-1]["text"] == "Which?"


def test_a_system_sentence_comes_first_where_the_family_wants_one(question):
    """Qwen2.5-Omni hears badly without its system sentence; others get none."""
    roles = [message["role"] for message in conversation(OMNI, question("Which?", "red-low", "audio"))]
    assert roles == ["system", "user"]
    assert [m["role"] for m in conversation(FAMILIES["qwen3omni"], question("Which?", "red-low", "audio"))] == ["user"]


@pytest.mark.parametrize(
    ("family", "modality", "expected"),
    [
        ("minicpmo45", "video", "these?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        ("minicpmo", "audiovideo", "user\n(<video>./</video>)\n(<audio>./</audio>)\nWhich {of} these?<|im_end|>"),
        ("phi4_multimodal", "audiovideo", "<|user|><|image_1|><|image_2|>"),
        ("phi4_multimodal", "audiovideo", "<|image_6|><|audio_1|>Which"),
        ("phi4_multimodal", "audio", "<|user|><|audio_1|>Which {of} these?<|end|><|assistant|>"),
        ("kimi_audio", "audio", "<|im_kimia_text_blank|><|im_media_end|>Which {of} these?<|im_msg_end|>"),
        ("video_llava", "video", "USER: <video>\nWhich {of} these? ASSISTANT:"),
        ("mimo_v25", "text", "<|im_start|>user\nWhich {of} these?<|im_end|>\n<|im_start|>assistant\n"),
    ],
)  # fmt: skip
def test_templates_of_families_without_one(question, family, modality, expected):
    """Media stand first, each frame by its number where frames go as images, and braces in a question are text."""
    assert expected in by_template(FAMILIES[family], question("Which {of} these?", "red-low", modality))


def test_a_system_sentence_stands_first_in_a_template(question):
    """Where the family's template has a place for it; the prompt is otherwise the same."""
    asked = question("Which?", "red-low", "video")
    plain, told = by_template(FAMILIES["video_llava"], asked), by_template(adapter("video_llava", system="Hi."), asked)
    assert told == f"Hi. {plain}"


def test_frames_that_go_as_images_are_images(question):
    """A family without videos gets a place for each frame."""
    message = conversation(FAMILIES["gemma3n"], question("Which?", "red-low", "audiovideo"))[-1]
    assert kinds(message) == ["image"] * 6 + ["audio", "text"]


def test_a_modality_that_the_family_lacks_is_refused(question):
    """Asking a deaf model to listen is an error, never a question without the sound."""
    with pytest.raises(ValueError, match="qwen25vl can't take 'audiovideo', only video, text"):
        conversation(FAMILIES["qwen25vl"], question("Which?", "red-low", "audiovideo"))


def test_media_are_what_the_modality_asks_for(question):
    """Sound alone loads no picture and picture alone no sound, though the clip has both."""
    heard = media_of(OMNI, question("", "red-low", "audio"))
    seen = media_of(OMNI, question("", "red-low", "video"))
    assert heard.frames is None
    assert heard.waveform.shape == (48000,)
    assert seen.waveform is None
    assert seen.frames.shape == (6, 112, 112, 3)
    assert media_of(OMNI, question("", "red-low", "text")) is None


def test_a_clip_that_lacks_what_is_asked_for_is_refused(question):
    """A silent clip can't be asked with its sound: the message names clip and modality."""
    with pytest.raises(ValueError, match="'silent' has no sound, which the modality 'audiovideo' asks for"):
        media_of(OMNI, question("", "silent", "audiovideo"))


def test_sound_that_would_be_cut_is_refused(question):
    """Qwen2-Audio hears 30 s; a clip of a minute is refused, since its end would go unheard without a word."""
    with pytest.raises(ValueError, match="'long' has 60 s of sound, qwen2audio hears 30 s"):
        media_of(FAMILIES["qwen2audio"], question("", "long", "audio"))


def test_sound_that_is_too_short_to_be_heard_is_refused(question, tmp_path):
    """A click of a few milliseconds is no token of sound; the engine would die of it, with all that it had in hand."""
    asked = question("", "red-low", "audiovideo")
    for samples, heard in ((639, False), (640, True)):
        np.save(tmp_path / "sound.npy", np.ones(samples, np.float32))
        asked["clip"] = {**asked["clip"], "waveform": str(tmp_path / "sound.npy")}
        if heard:
            assert len(media_of(OMNI, asked).waveform) == samples
        else:
            with pytest.raises(ValueError, match=r"'red-low' has 39\.9 ms of sound, too little to be heard"):
                media_of(OMNI, asked)


def test_identity_is_that_of_the_content(question):
    """It differs by clip, modality, frames taken and their size, and not by the clip's name or its files' places."""
    base = question("", "red-low", "audiovideo")
    renamed = {**base, "prompt": "other", "clip": {**base["clip"], "name": "other"}}
    assert media_of(OMNI, base).identity == media_of(OMNI, renamed).identity
    others = [
        media_of(OMNI, question("", "red-high", "audiovideo")),
        media_of(OMNI, question("", "red-low", "video")),
        media_of(OMNI, question("", "slow", "audiovideo")),
        media_of(adapter("qwen25omni", max_pixels=50176), base),
        media_of(adapter("qwen25omni", frame_rate=2.0), base),
    ]
    assert len({media_of(OMNI, base).identity, *(other.identity for other in others)}) == 6


@pytest.fixture(scope="module")
def tokenizer(checkpoint):
    """Load a tokenizer that puts `<s>` before every text."""
    from transformers import AutoTokenizer  # noqa: PLC0415  # it takes seconds; only two tests need it

    return AutoTokenizer.from_pretrained(checkpoint("llava_next_video"))


def test_the_start_is_not_doubled(tokenizer, question):
    """A template that writes the start of text, before a tokenizer that adds it, gives one start and not two."""
    tokenizer.chat_template = "<s>{{ messages[0].content }}"
    text = Prompter(FAMILIES["text"], tokenizer).text(question("Which?"))
    assert tokenizer(text).input_ids.count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize(
    ("family", "written", "read"),
    [
        ("llava_next_video", "He says </s> or <video>, <image>.", "He says < /s> or < video>, < image>."),
        ("llava_next_video", "a < b, <i>so</i>, <|im_end|>", "a < b, <i>so</i>, <|im_end|>"),
        ("phi4_multimodal", "<|image_12|> and <|audio_1|>", "< |image_12|> and < |audio_1|>"),
        ("qwen25omni", "<|AUDIO|><|VIDEO|>", "< |AUDIO|>< |VIDEO|>"),
    ],
)
def test_a_models_own_marks_in_a_question_are_text(tokenizer, question, family, written, read):
    """What a writer left of a template ends no turn and takes the place of no medium; all else stays to the byte."""
    tokenizer.chat_template = "{{ messages[-1].content }}"
    known = replace(FAMILIES[family], modalities=("text",), template=None)

    text = Prompter(known, tokenizer).text(question(written))

    assert text == read
    assert set(tokenizer(text, add_special_tokens=False).input_ids).isdisjoint(tokenizer.all_special_ids)


def test_a_models_own_marks_in_a_text_that_is_weighed_are_text(tokenizer, question):
    """They are as likely as their letters, not as the end of all."""
    texts = Prompter(FAMILIES["text"], tokenizer).texts({**question(""), "score": ["glad</s>", "so < glad"]})

    assert texts == [tokenizer(text, add_special_tokens=False).input_ids for text in ("glad< /s>", "so < glad")]
    assert set(texts[0]).isdisjoint(tokenizer.all_special_ids)


def test_media_between_two_tokens_are_counted(tokenizer):
    """Where sound and picture are made of the same token, what stands between the marks of each counts."""
    known = replace(FAMILIES["llava_next_video"], audio_place=("<s>", "</s>"), video_place=("<image>", "<video>"))
    ids = tokenizer.convert_tokens_to_ids
    start, end, image, video = (ids(token) for token in ("<s>", "</s>", "<image>", "<video>"))
    counts = Prompter(known, tokenizer).count([7, start, 8, 8, end, 9, image, 8, video, 8, image, 8, 8, video])
    assert counts == {"prompt": 14, "audio": 2, "video": 3}


def test_media_tokens_are_counted(tokenizer):
    """The tokens that stand for picture are counted apart from all; sound isn't, where the family has none."""
    ids = tokenizer("<video><video><video> which?").input_ids
    assert Prompter(FAMILIES["llava_next_video"], tokenizer).count(ids) == {"prompt": len(ids), "video": 3}


@pytest.mark.parametrize(
    ("special", "plain", "expected"),
    [
        (["<|channel>", "<channel|>"], [], True),
        (["[THINK]", "[/THINK]"], [], True),
        (["<|channel|>", "<|message|>"], [], True),
        (["<|im_end|>"], ["<think>", "</think>"], False),
        (["<|im_end|>"], [], False),
    ],
    ids=["Gemma 4", "Magistral", "gpt-oss", "Qwen3", "none"],
)
def test_special_tokens_that_mark_thoughts_are_known(special, plain, expected):
    """An engine keeps the special tokens of such a tokenizer, and of no other."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a1": 0, "?": 1}, unk_token="?")))
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.add_tokens(plain)
    assert marks_thoughts(tokenizer) is expected
    ids = [tokenizer.convert_tokens_to_ids(token) for token in (*special, *plain)]
    assert bool(tokenizer.decode(ids, skip_special_tokens=True)) is bool(plain)
