from __future__ import annotations

import os
import signal
import time

import pytest

from emoprefer_bench.engines.children import vllm
from emoprefer_bench.engines.families import adapter

WORDS = "Which description fits the clip better, a1 or a2?"
SIZES = {"max_model_len": 2048, "kv_cache_memory_bytes": 64 << 20}


@pytest.fixture
def omni(loaded):
    """Load Qwen2.5-Omni, once for all tests."""
    return loaded("vllm", "omni", **SIZES)


def text_of(answers):
    """Return the texts; an error fails with its message."""
    assert all(answer["type"] == "answer" for answer in answers), answers
    return [answer["text"] for answer in answers]


def test_it_says_what_it_is(omni):
    """`ready` names the engine, its version and the device, and how many questions it wants."""
    assert (omni.ready["engine"], omni.ready["device"]) == ("vllm", "CPU")
    assert omni.ready["version"][0].isdigit()
    assert 8 <= omni.ready["concurrency"] <= 64


@pytest.mark.parametrize(
    ("modality", "audio", "video"), [("audiovideo", 75, 48), ("audio", 75, 0), ("video", 0, 48), ("text", 0, 0)]
)
def test_sound_and_picture_are_counted(omni, question, modality, audio, video):
    """3 s of sound are 75 tokens (25 a second), 6 frames of 112 x 112 are 48 (3 pairs of 4 x 4): and all arrive."""
    (answer,) = omni.ask(question(WORDS, "red-low", modality))
    assert (answer["tokens"]["audio"], answer["tokens"]["video"]) == (audio, video)
    assert answer["tokens"]["prompt"] > audio + video


def test_the_same_picture_with_other_sound_is_another_clip(omni, question):
    """The sound counts though the picture's part of the prompt was just cached: no answer comes from another clip."""
    (low,) = text_of(omni.ask(question(WORDS, "red-low", "audiovideo", max_tokens=12)))
    (high,) = text_of(omni.ask(question(WORDS, "red-high", "audiovideo", max_tokens=12)))
    (again,) = text_of(omni.ask(question(WORDS, "red-low", "audiovideo", max_tokens=12)))
    assert low != high
    assert low == again


def test_the_same_sound_under_another_picture_is_another_clip(omni, question):
    """The picture counts, and is found, though the sound was just cached."""
    (red,) = text_of(omni.ask(question(WORDS, "red-low", "audiovideo", max_tokens=12)))
    (blue,) = text_of(omni.ask(question(WORDS, "blue-low", "audiovideo", max_tokens=12)))
    assert red != blue


def test_a_silent_clip_asked_with_sound_is_an_error_and_no_more(omni, question):
    """It is refused before vLLM sees it, whose engine would die of it once the picture is cached; the rest goes on."""
    text_of(omni.ask(question(WORDS, "silent", "video")))
    (refused,) = omni.ask(question(WORDS, "silent", "audiovideo"))
    assert "'silent' has no sound" in refused["message"]
    text_of(omni.ask(question(WORDS, "silent", "video")))


def test_another_rate_changes_the_layout(omni, question):
    """Four frames of the same clip at 1 a second are 32 tokens, and their times count: the answer differs."""
    slow, usual = omni.ask(*(question(WORDS, clip, "audiovideo", max_tokens=12) for clip in ("slow", "red-low")))
    assert (slow["tokens"]["video"], slow["tokens"]["audio"]) == (32, 75)
    assert slow["text"] != usual["text"]


def test_the_second_question_about_a_clip_is_mostly_cached(omni, question):
    """All but the words behind the clip come from the prefix cache, whole blocks of 32 tokens."""
    omni.ask(question("a1?", "blue-low", "audiovideo"))
    (second,) = omni.ask(question("Or a2?", "blue-low", "audiovideo"))
    assert second["tokens"]["cached"] >= second["tokens"]["prompt"] * 0.8


def test_several_renderers_give_the_same_answers(loaded, omni, question):
    """Clips that two threads prepare at once are the clips that one prepares: the same tokens and the same words."""
    clips = ("red-low", "red-high", "blue-low", "3s-4", "3s-6")
    asked = [
        question(words, clip, modality, max_tokens=12)
        for words in (WORDS, "a1?", "Or a2?")
        for clip in clips
        for modality in ("audiovideo", "audio", "video")
    ]
    expected = omni.ask(*asked)
    assert len(set(text_of(expected))) > len(clips)
    told = loaded("vllm", "omni", **SIZES, renderer_num_workers=2).ask(*asked)
    assert text_of(told) == text_of(expected)
    counted = [[{**answer["tokens"], "cached": None} for answer in answers] for answers in (told, expected)]
    assert counted[0] == counted[1]


def test_a_prompt_beyond_the_context_is_overlong(omni, question):
    """It is never cut, be it long by its words or by its clip, and its neighbours are answered."""
    long, clip, fine = omni.ask(
        question("a1 " * 3000), question(WORDS, "long", "audiovideo"), question(WORDS, "red-low", "video")
    )
    assert (long["finish"], long["text"]) == ("overlong", "")
    assert (clip["finish"], clip["text"]) == ("overlong", "")
    assert fine["finish"] in ("stop", "length")


def test_more_prompts_than_fit_one_step_are_drawn_for(omni, question):
    """A prompt that is split over two steps, and drawn for with a seed, would end vLLM's CPU engine."""
    long = [f"{number} " + WORDS * 60 for number in range(8)]
    asked = [question(words, temperature=1.0, seed=number, max_tokens=4) for number, words in enumerate(long)]
    answers = omni.ask(*asked)
    assert len(text_of(answers)) == len(asked)
    assert sum(answer["tokens"]["prompt"] for answer in answers) > 2 * SIZES["max_model_len"]


def test_a_draw_depends_on_its_seed_alone(omni, question):
    """Sampled answers differ by seed, and a seed's answer is the same alone and in company."""
    asked = [question(WORDS, "red-low", "audio", temperature=1.0, seed=seed, max_tokens=12) for seed in range(4)]
    together = text_of(omni.ask(*asked))
    assert len(set(together)) == 4
    assert [text_of(omni.ask(one))[0] for one in asked] == together


def test_top_k_of_1_is_greedy_and_0_is_all(omni, question):
    """`top_k` counts tokens, and 0 sets no limit."""
    (greedy, one), hot = (
        text_of(omni.ask(question(WORDS, max_tokens=12), question(WORDS, temperature=2.0, top_k=1, max_tokens=12))),
        text_of(omni.ask(*(question(WORDS, temperature=2.0, seed=seed, max_tokens=12) for seed in range(3)))),
    )
    assert one == greedy
    assert greedy not in hot


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("text", {"max_model_length": 9}, r"has no option 'max_model_length'; did you mean 'max_model_len'\?"),
        ("omni", {"mm_processor_cache_type": "shm"}, "doesn't go with qwen25omni: vLLM loses there that"),
    ],
)
def test_an_option_that_can_t_be_fails_with_a_sentence(start, checkpoint, name, options, message):
    """What this vLLM doesn't know is named, with what may be meant; so is what doesn't go together."""
    failed = start("-m", "emoprefer_bench.engines.children.vllm").load(checkpoint(name), **options)
    assert failed["type"] == "failed"
    with pytest.raises(ValueError, match=message):
        raise ValueError(failed["message"])


def test_several_threads_have_no_cache_of_what_they_prepare():
    """Whoever asks for both is told. One thread keeps it, in shared memory too where no sound lies inside a picture."""
    seeing = adapter("qwen25vl")
    assert vllm._preparing(seeing, {"renderer_num_workers": 2}) == {"mm_processor_cache_gb": 0}
    assert vllm._preparing(seeing, {"renderer_num_workers": 1, "mm_processor_cache_type": "shm"}) == {}
    with pytest.raises(ValueError, match="is not safe for several threads"):
        vllm._preparing(seeing, {"renderer_num_workers": 2, "mm_processor_cache_gb": 1})


def test_its_engine_dies_and_so_does_all_of_it(loaded, question):
    """When vLLM's engine process is killed, the child ends too, within seconds, and its log says so at the end."""
    child = loaded("vllm", "text", **SIZES)
    text_of(child.ask(question(WORDS)))
    (engine,) = [process for process in child.group() if "EngineCore" in _name(process)]
    os.kill(engine, signal.SIGKILL)
    child.send({"type": "ask", "id": "last", "question": question(WORDS)})
    assert child.process.wait(30) != 0
    assert "vLLM's engine process died" in child.log_end().splitlines()[-1]
    assert _ends(child)


def test_end_of_input_while_loading_ends_all_of_it(start, checkpoint):
    """A parent that goes away while vLLM starts leaves none of its processes behind."""
    child = start("-m", "emoprefer_bench.engines.children.vllm")
    child.request(checkpoint("text"), **SIZES)
    until = time.monotonic() + 450
    while not any("EngineCore" in _name(process) or "spawn_main" in _name(process) for process in child.group()):
        assert time.monotonic() < until, child.log_end()
        time.sleep(0.1)
    child.process.stdin.close()
    child.process.wait(60)
    assert _ends(child)


def _name(process: int) -> str:
    with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123  # it may be gone by now
        return file.read().decode()


def _ends(child):
    """Return whether no process of the child's group lives, if they are given time to end."""
    until = time.monotonic() + 60
    while child.group() and time.monotonic() < until:
        time.sleep(0.1)
    return not child.group()
