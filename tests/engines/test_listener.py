from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from emoprefer_bench.engines.children import listener
from emoprefer_bench.engines.children.listener import MARGIN, Voice, answer, emotion_profile, hear, judge, voice_words
from emoprefer_bench.engines.children.minilm import MiniLM

DEMO = Path(__file__).parents[2] / "dataset" / "demo"
RATE = 16_000
EXCHANGED = {"a1": "a2", "a2": "a1", "same": "same"}


@pytest.fixture(scope="module")
def profile():
    """The real embedding."""
    return emotion_profile(MiniLM())


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory):
    """The sound of each demo clip as the harness hands it over: 16 kHz, mono, float32, in a .npy file."""
    folder = tmp_path_factory.mktemp("sound")
    for path in sorted((DEMO / "video").iterdir()):
        with av.open(str(path)) as container:
            sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        np.save(folder / f"{path.stem}.npy", sound.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def rows():
    """The rows of the demo."""
    with (DEMO / "preference_demo.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def subtitles():
    """What is said in each clip of the demo."""
    with (DEMO / "subtitles.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["subtitle"] for row in csv.DictReader(file)}


def sine(pitch: float, loudness: float, seconds: float = 1.0, bend: float = 0.0) -> np.ndarray:
    """A hum of harmonics; `bend` is how many semitones the pitch wanders to either side."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * 2 ** (bend / 12 * np.sin(2 * np.pi * time))) / RATE
    hum = sum(np.sin(k * phase) / k for k in range(1, 6))
    return (loudness * hum / np.sqrt(np.mean(hum**2))).astype(np.float32)


def question(texts, subtitle=None, waveform=None, rate=RATE):
    """A question as docs/protocol.md has it."""
    clip = {"name": "c", "digest": "d", "waveform": waveform and str(waveform), "sample_rate": rate}
    return {"prompt": None, "texts": texts, "subtitle": subtitle, "modality": "audio", "clip": clip, "sampling": {}}


@pytest.mark.parametrize("pitch", [90.0, 140.0, 220.0, 330.0])
@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_pitch_is_heard_at_any_rate(pitch, rate):
    """The pitch of a hum is found within 2%, whatever the sample rate."""
    wave = sine(pitch * RATE / rate, 0.1, seconds=rate / RATE)
    assert hear(wave, rate).pitch == pytest.approx(pitch, rel=0.02)


def test_level_is_in_decibels_of_full_scale():
    """Root mean squares of 0.1 and 0.01 are -20 and -40 dB."""
    assert hear(sine(120, 0.1), RATE).level == pytest.approx(-20, abs=0.2)
    assert hear(sine(120, 0.01), RATE).level == pytest.approx(-40, abs=0.3)


def test_range_grows_with_the_melody():
    """A steady hum has no range; one that wanders four semitones up and down has about six between its percentiles."""
    assert hear(sine(150, 0.1), RATE).range < 0.5
    assert 5 < hear(sine(150, 0.1, bend=4), RATE).range < 8.5


def test_frames_count_the_voice_alone():
    """A second of voice within three seconds counts about a hundred frames of 10 ms."""
    silence = np.zeros(RATE, np.float32)
    assert hear(np.concatenate([silence, sine(150, 0.1), silence]), RATE).frames == pytest.approx(100, abs=5)


@pytest.mark.parametrize("samples", [0, 10, RATE])
def test_nobody_speaks_in_silence(samples):
    """Silence, and a sound too short for a frame, has no voice and no words."""
    voice = hear(np.zeros(samples, np.float32), RATE)
    assert voice.frames == 0
    assert voice_words(voice) == ""


def test_whisper_has_no_pitch():
    """Noise is voice without a pitch, and still has words."""
    voice = hear(np.random.default_rng(1).normal(0, 0.2, RATE).astype(np.float32), RATE)
    assert voice.frames > 90
    assert voice_words(voice).startswith("The voice is loud, toneless ")


@pytest.mark.parametrize(
    ("voice", "said"),
    [
        (Voice(100, -30, 90, 1), "faint, low and monotone; it sounds sad and subdued."),
        (Voice(100, -22, 150, 3), "of ordinary loudness, medium-pitched and steady; it sounds calm and neutral."),
        (Voice(100, -15, 300, 6), "loud, high-pitched and lively; it sounds excited, delighted or surprised."),
        (Voice(100, -15, 100, 5), "loud, low and lively; it sounds tense and angry."),
    ],
)  # fmt: skip
def test_voices_in_words(voice, said):
    """Level, pitch and range each choose a word, and level with pitch the mood."""
    assert voice_words(voice) == f"The voice is {said}"


def test_nearer_description_wins(profile):
    """The description of the emotion that the clues tell wins in either place."""
    clues = ["The voice is faint, low and monotone; it sounds sad and subdued."]
    sad, glad = "The person is grieving and tearful.", "The person is laughing with joy."
    assert judge(clues, sad, glad, profile) == "a1"
    assert judge(clues, glad, sad, profile) == "a2"


def test_words_and_voice_both_count(profile):
    """With a neutral voice, what is said decides."""
    voice = "The voice is of ordinary loudness, medium-pitched and steady; it sounds calm and neutral."
    texts = ("The person is furious.", "The person is delighted.")
    assert judge([voice, 'The person says: "I hate you, get out!"'], *texts, profile) == "a1"
    assert judge([voice, 'The person says: "I love this, thank you!"'], *texts, profile) == "a2"


def test_small_gaps_are_the_same():
    """Cosines that differ by less than the margin are `same`, those that differ by more are not."""
    angles = {"clue": 0.0, "near": 0.5, "nearly": 0.5 + MARGIN, "far": 0.5 + 4 * MARGIN}
    plane = lambda text: np.array([np.cos(angles[text]), np.sin(angles[text])])  # noqa: E731
    assert judge(["clue"], "near", "nearly", plane) == "same"
    assert judge(["clue"], "near", "far", plane) == "a1"
    assert judge(["clue"], "far", "near", plane) == "a2"


def test_quotations_don_t_count(profile):
    """What a description quotes changes nothing, in straight or curly marks."""
    clues = ["The voice is loud, low and lively; it sounds tense and angry."]
    quoting = (
        'The person says "I am so angry and furious!" and is glad.',
        "The person says “Go away!” and is furious.",
    )
    assert judge(clues, *quoting, profile) == "a2"
    bare = ("The person says  and is glad.", "The person says  and is furious.")
    assert judge(clues, *bare, profile) == "a2"


def test_exchanged_texts_exchange_the_verdict(profile, rows, subtitles, waveforms):
    """On every row of the demo, the exchanged pair gets the exchanged verdict, and all three verdicts occur."""
    seen = set()
    for row in rows:
        name, texts = row["name"], (row["a1"], row["a2"])
        there, back = (
            answer(question(list(order), subtitles[name], waveforms / f"{name}.npy"), profile)["text"]
            for order in (texts, texts[::-1])
        )
        assert back == EXCHANGED[there]
        seen.add(there)
    assert seen == {"a1", "a2", "same"}


def test_better_than_chance_on_the_demo_and_by_the_words_where_they_tell(profile, rows, subtitles, waveforms):
    """On decided rows it is right in more than 3 of 4; deaf, it is so on telling words, and at chance on plain ones."""
    plain = {name for name, said in subtitles.items() if list(subtitles.values()).count(said) > 1}

    def right(*, hearing: bool, on: set[str]) -> float:
        verdicts = [
            (
                row["preference"],
                answer(question([row["a1"], row["a2"]], subtitles[row["name"]], sound), profile)["text"],
            )
            for row in rows
            if row["preference"] != "same" and row["name"] in on
            for sound in (waveforms / f"{row['name']}.npy" if hearing else None,)
        ]
        return np.mean([(label == said) + 0.5 * (said == "same") for label, said in verdicts])

    assert right(hearing=True, on=set(subtitles)) > 0.75
    assert right(hearing=True, on=plain) > 0.7
    assert right(hearing=False, on=set(subtitles) - plain) > 0.7
    assert 0.35 < right(hearing=False, on=plain) < 0.65


def test_answer_counts_the_frames_that_were_heard(profile, tmp_path):
    """The answer counts the frames with voice; a silent clip counts none, so that the harness can see it."""
    np.save(tmp_path / "hum.npy", sine(150, 0.1))
    np.save(tmp_path / "silence.npy", np.zeros(RATE, np.float32))
    texts = ["He is sad.", "He is glad."]
    assert answer(question(texts, "Hello.", tmp_path / "hum.npy"), profile)["tokens"]["audio"] > 90
    assert answer(question(texts, "Hello.", tmp_path / "silence.npy"), profile)["tokens"] == {}
    assert answer(question(texts, "Hello."), profile)["tokens"] == {}


def test_nothing_to_judge_by_is_an_error(profile, tmp_path):
    """Neither voice nor subtitle, or no texts: an error that names the setting to change."""
    np.save(tmp_path / "silence.npy", np.zeros(RATE, np.float32))
    with pytest.raises(ValueError, match=r"neither a voice .* audio\+subtitle"):
        answer(question(["a", "b"], None, tmp_path / "silence.npy"), profile)
    with pytest.raises(ValueError, match=r"prompts=\(\)"):
        answer(question(None, "Hello."), profile)


def test_overlong_text_is_not_cut(profile):
    """A description beyond the embedding's 512 tokens is answered as overlong, with the numbers."""
    given = answer(question(["sad " * 600, "glad"], "Hello."), profile)
    assert given["finish"] == "overlong"
    assert "602 tokens" in given["text"]


def test_options_are_refused():
    """There are no options; one that is given is named."""
    with pytest.raises(ValueError, match="takes no options, but was given margin"):
        listener.load({"options": {"margin": 1}})


def test_child_speaks_the_protocol(rows, subtitles, waveforms, profile):
    """As a process: ready, then an answer for each question, an error for a bad one, and the end with its input."""
    name = rows[0]["name"]
    texts = [rows[0]["a1"], rows[0]["a2"]]
    asked = [
        question(texts, subtitles[name], waveforms / f"{name}.npy"),
        question(None),
        question(texts[::-1], "Hello."),
    ]
    lines = [{"type": "load", "protocol": 1, "model": "listener", "revision": None, "options": {}, "spool": "."}]
    lines += [{"type": "ask", "id": str(n), "question": q} for n, q in enumerate(asked)]
    child = subprocess.Popen(
        [sys.executable, "-m", "emoprefer_bench.engines.children.listener"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    child.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
    child.stdin.flush()
    ready, *answers = (json.loads(child.stdout.readline()) for _ in range(4))
    child.stdin.close()
    assert child.wait(20) != 0
    child.stdout.close()
    assert ready["type"] == "ready"
    assert (ready["engine"], ready["version"], ready["concurrency"]) == ("listener", listener.VERSION, 1)
    assert [message["type"] for message in answers] == ["answer", "error", "answer"]
    assert answers[0]["text"] == answer(asked[0], profile)["text"]
    assert answers[0]["tokens"]["audio"] > 50
    assert answers[0]["seconds"]["model"] > 0
    assert "prompts=()" in answers[1]["message"]


def test_needs_neither_torch_nor_transformers():
    """The child loads and judges without importing torch or transformers."""
    code = (
        "import sys; from emoprefer_bench.engines.children.listener import load; load({'options': {}})\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
