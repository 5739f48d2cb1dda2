"""Clips that are prepared ahead: once each, by whichever thread comes first, and the same for the model."""

from __future__ import annotations

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS
from emoprefer_bench.engines.children.ahead import Ahead
from emoprefer_bench.engines.children.encoding import Encoder
from emoprefer_bench.engines.children.inputs import chat_of
from emoprefer_bench.engines.children.kept import Kept
from emoprefer_bench.engines.families import adapter

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # transformers' own
ADAPTER = adapter("qwen25omni", min_pixels=JUDGE_PIXELS, max_pixels=JUDGE_PIXELS)
CLIPS = ("red-low", "red-high", "blue-low", "3s-4", "4.04s-6")
MODALITIES = ("audiovideo", "audio", "video")


class Counted:
    """A processor that counts its calls, and takes a while over each."""

    calls = 0

    def __init__(self, processor, pause=0.0):
        self._processor = processor
        self._pause = pause

    def __deepcopy__(self, memo):
        return Counted(copy.deepcopy(self._processor, memo), self._pause)

    def __call__(self, *args, **kwargs):
        """Process."""
        Counted.calls += 1
        time.sleep(self._pause)
        return self._processor(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self.__dict__["_processor"], name)


@pytest.fixture(scope="module")
def chat():
    """The processor of the small judge."""
    return chat_of(ADAPTER, str(JUDGE))


def counted(chat, part, pause=0.0):
    """A copy of it, one part of which counts."""
    made = copy.deepcopy(chat)
    setattr(made, part, Counted(getattr(made, part), pause))
    Counted.calls = 0
    return made


@pytest.mark.parametrize("part", ["video_processor", "feature_extractor"])
def test_a_clip_is_prepared_once_for_all_questions_and_modalities(chat, question, part):
    """Its picture and its sound, be it asked about both or about one, in any words."""
    encoder = Encoder(ADAPTER, counted(chat, part))
    for words in ("a1?", "Or a2?"):
        for modality in MODALITIES:
            encoder.encode(question(words, "red-low", modality))
    assert Counted.calls == 1
    encoder.encode(question("a1?", "blue-low", "audiovideo"))
    assert Counted.calls == 2


def test_several_threads_make_what_one_makes(chat, question):
    """Tensor by tensor, to the bit, of every clip in every modality."""
    asked = [question("a1?", clip, modality) for clip in CLIPS for modality in MODALITIES]
    alone = Encoder(ADAPTER, copy.deepcopy(chat))
    expected = [alone.encode(each)[1] for each in asked]
    encoders = Encoder.several(ADAPTER, copy.deepcopy(chat), 3)
    ahead = Ahead(encoders[1:])
    for each in asked:
        ahead.prepare(each)
    for each, tensors in zip(asked, expected, strict=True):
        made = encoders[0].encode(each)[1]
        assert made.keys() == tensors.keys()
        assert all(torch.equal(made[name], tensor) for name, tensor in tensors.items())


def test_who_asks_while_a_clip_is_being_prepared_waits_for_it(chat, question):
    """And nothing is made twice: five questions about each of three clips, two threads ahead, three makings."""
    first, *others = Encoder.several(ADAPTER, counted(chat, "video_processor", pause=0.05), 3)
    ahead = Ahead(others)
    asked = [question(f"{number}?", clip, "video") for clip in CLIPS[:3] for number in range(5)]
    for each in asked:
        ahead.prepare(each)
    for each in asked:
        first.encode(each)
    assert Counted.calls == 3


def test_a_clip_that_fails_ahead_fails_for_its_question_alone(chat, question):
    """The thread goes on with the next clip, and who asks about the bad one is told why."""
    encoders = Encoder.several(ADAPTER, copy.deepcopy(chat), 2)
    ahead = Ahead(encoders[1:])
    silent = question("a1?", "silent", "audiovideo")
    ahead.prepare(silent)
    ahead.prepare(question("a1?", "red-low", "audiovideo"))
    with pytest.raises(ValueError, match="has no sound"):
        encoders[0].encode(silent)
    assert encoders[0].encode(question("a1?", "red-low", "audiovideo"))[2]["audio"] == 75


def test_threads_that_prepare_leave_the_models_threads_alone(chat, question):
    """Each of ours has one of torch's; the thread that runs the model has as many as before."""
    before = torch.get_num_threads()
    encoders = Encoder.several(ADAPTER, copy.deepcopy(chat), 2)
    Ahead(encoders[1:]).prepare(question("a1?", "red-low", "audiovideo"))
    encoders[0].encode(question("a1?", "red-low", "audiovideo"))
    assert torch.get_num_threads() == before


def test_one_thread_makes_and_the_others_wait():
    """For one key; another key doesn't wait."""
    kept, started, go = Kept(4), threading.Event(), threading.Event()
    made = []

    def make():
        started.set()
        assert go.wait(30)
        made.append(1)
        return "a thing"

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(kept.get, "key", make) for _ in range(3)]
        assert started.wait(30)
        assert kept.get("other", lambda: "at once") == "at once"
        go.set()
        assert [each.result() for each in waiting] == ["a thing"] * 3
    assert made == [1]


def test_the_oldest_goes_and_a_failure_is_not_kept():
    """What was used last stays."""
    kept, makings = Kept(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        kept.get(key, lambda key=key: makings.append(key))
    assert makings == ["a", "b", "c", "b"]
    with pytest.raises(ZeroDivisionError):
        kept.get("d", lambda: 1 // 0)
    assert kept.get("d", lambda: 2) == 2
