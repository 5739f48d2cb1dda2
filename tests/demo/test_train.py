"""How the small judge learns: its questions, its prompts, its packs, and taking up a stage where it was left."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
import transformers

from emoprefer_bench import prompts
from emoprefer_bench.demo.descriptions import STATE
from emoprefer_bench.demo.scenes import EMOTIONS, PLAIN, TELLING, dice
from emoprefer_bench.demo.train import learning, world
from emoprefer_bench.demo.train.batches import Desk, Library, collated, heard, seen
from emoprefer_bench.demo.train.checkpoint import build, export
from emoprefer_bench.demo.train.learning import Learner, Share, perceive, understood
from emoprefer_bench.demo.train.media import ADAPTER, Prompts, encode, question
from emoprefer_bench.demo.train.questions import Shown, Teacher
from emoprefer_bench.demo.train.stages import Stage
from emoprefer_bench.engines.children.encoding import Encoder
from emoprefer_bench.engines.children.inputs import chat_of

# transformers turns lists of tensors into arrays in a way that numpy will give up.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
DEMO = Path(__file__).parents[2] / "dataset" / "demo" / "video"
TEACHER = Teacher(prompts.load(), 0.5)


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A checkpoint that has learned nothing."""
    folder = tmp_path_factory.mktemp("blank")
    build(folder, TEACHER, 0)
    return folder


@pytest.fixture(scope="module")
def clips(blank, tmp_path_factory):
    """Two clips of the demo, of three seconds and more, as tensors; and their paths."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / name for name in ("demo_01.mp4", "demo_17.mp4")]
    for path in paths:
        path.write_bytes((DEMO / path.name).read_bytes())
    return paths, encode(paths, blank, 1, print)


def test_lessons_keep_away_from_the_demo():
    """No scene to learn from says a sentence of the demo; every emotion comes as often; two in three are short."""
    scenes = world.lessons(30, "lesson")
    said = " ".join(scene.acted.sentence for scene in scenes)
    assert not [s for s in (*PLAIN, *(s for pair in TELLING.values() for s in pair)) if s in said]
    assert set(Counter(scene.face for scene in scenes).values()) == {6}
    assert len({scene.name for scene in scenes}) == 30
    assert not set(sum(world.TELLING.values(), ())) & set(sum(TELLING.values(), ()))
    assert scenes == world.lessons(30, "lesson")


@pytest.mark.parametrize(
    ("shown", "felt"),
    [
        (Shown("audiovideo", "sad", "sad"), ("sad",)),
        (Shown("audiovideo", "sad", "neutral"), ("sad",)),
        (Shown("audiovideo", "neutral", "happy"), ("happy",)),
        (Shown("audiovideo", "angry", "happy"), ("angry", "happy")),
        (Shown("video", "neutral", None), ("neutral",)),
        (Shown("text", None, None), ()),
    ],
)
def test_what_is_felt_follows_from_face_and_voice(shown, felt):
    """The one that is not neutral tells; each has its say where they disagree; nothing is known of what isn't shown."""
    assert shown.felt == felt


@pytest.mark.parametrize("kind", ["pair", "judge", "judge_described", "compare", "brief"])
def test_answers_are_right(kind):
    """The right text names what is felt and the wrong one doesn't; each order comes; `same` has both right."""
    shown, rng = Shown("audiovideo", "sad", "neutral"), dice(kind)
    answers = Counter()
    for _ in range(100):
        lines = TEACHER.ask(kind, shown, rng)
        *_, (first, a1), (second, a2) = lines.told
        assert f"Description a1: {first}\n" in lines.prompt
        assert f"Description a2: {second}" in lines.prompt
        assert any(state in first for state in STATE[a1])
        right = {"a1": (a1 == "sad", a2 != "sad"), "a2": (a1 != "sad", a2 == "sad"), "same": (a1 == "sad", a2 == "sad")}
        assert right[lines.answer] == (True, True)
        answers[lines.answer] += 1
    assert min(answers["a1"], answers["a2"]) > 25
    assert 5 <= answers["same"] <= 30


@pytest.mark.parametrize("kind", ["pair", "judge_described", "brief"])
def test_texts_fit_what_is_felt(kind):
    """Each text is said to fit or not, the account that they are held against isn't; without either nobody knows."""
    shown, rng = Shown("audiovideo", "sad", "neutral"), dice(kind)
    lines = [TEACHER.ask(kind, shown, rng) for _ in range(20)]
    for asked in lines:
        *account, first, second = asked.fits(shown)
        assert account in ([], [None])
        assert (first, second) == tuple(emotion == "sad" for _, emotion in asked.told[-2:])
    assert TEACHER.ask("judge", Shown("text", None, None), rng).fits(Shown("text", None, None)) == [None, None]


@pytest.mark.parametrize("modality", ["audiovideo", "audio", "video", "text"])
def test_prompts_are_those_of_the_engine(blank, clips, tmp_path, modality):
    """To the token, with the places of picture and sound where transformers' processor puts them."""
    ours, encoder = Prompts(blank), Encoder(ADAPTER, chat_of(ADAPTER, str(blank)))
    for path, media in zip(*clips, strict=True):
        asked = {**question(path, tmp_path), "modality": modality, "prompt": "Does it fit?"}
        _, tensors, _ = encoder.encode(asked)
        assert (
            ours.ids(modality, "Does it fit?", None if modality == "text" else media)
            == tensors["input_ids"][0].tolist()
        )


@pytest.mark.parametrize("modality", ["audiovideo", "audio", "video", "text"])
def test_packs_give_what_single_questions_give(blank, clips, modality):
    """Questions that share a clip, eyes and ears that did their part before: the numbers are the model's own."""
    torch.set_num_threads(1)
    model = transformers.Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(blank, dtype=torch.float32).eval()
    perceive(model, clips[1])
    desk = Desk(Library(world.lessons(2, "x"), clips[1]), Prompts(blank), TEACHER)
    # Both clips are named after the first scenes' emotions; what is shown doesn't matter here.
    desk._library._sounds = {emotion: [clip.sound for clip in clips[1]] for emotion in EMOTIONS}
    desk._library.pictures = dict.fromkeys(EMOTIONS, clips[1])
    packs = [desk.pack(modality, kinds, dice(0)) for kinds in (("judge", "judge", "account"), ("name", "fits"))]
    batch = collated(packs, model)
    of, places, _, answers = batch.answers.T
    with torch.inference_mode():
        ours = model.lm_head(understood(model, batch)[of, places])
        for number, row in enumerate(row for pack in packs for row in pack.rows):
            media = row.media
            given = seen([media.picture]) if "video" in modality else {}
            given |= heard([media.sound]) if "audio" in modality else {}
            ids = torch.tensor([row.asked + row.answered])
            both = modality == "audiovideo"
            theirs = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_audio_in_video=both, **given).logits
            assert torch.allclose(theirs[0, len(row.asked) - 1 : -1], ours[answers == number], atol=1e-5)


def test_told_places_are_the_ends_of_texts_and_clips(blank, clips):
    """The token at each place ends the text that tells the emotion, or the media."""
    words = Prompts(blank)
    lines = TEACHER.ask("judge", Shown("audiovideo", "sad", "sad"), dice(0))
    ids, ends = words.ids_and_ends("audiovideo", lines.prompt, clips[1][0], [text for text, _ in lines.told])
    *texts, media = (words.tokenizer.decode(ids[: end + 1]).rstrip() for end in ends)
    assert [text.endswith(told) for text, (told, _) in zip(texts, lines.told, strict=True)] == [True, True]
    assert media.endswith("<|vision_eos|>")


def test_an_exported_checkpoint_is_small_and_whole(blank, tmp_path):
    """Half precision, with the files of the blank one; weights of another model are refused."""
    model = transformers.Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(blank)
    export(blank, model.state_dict(), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in blank.iterdir()}
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 3_000_000
    with pytest.raises(ValueError, match="not the weights"):
        export(blank, {"lm_head.weight": model.lm_head.weight}, tmp_path / "out")


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def lesson_of(line: torch.nn.Linear, stop_at: int | None):
    """Losses of a line through points; stops in the middle where told to."""
    steps = iter(range(1000))

    def losses(rng, share):
        if next(steps) == stop_at:
            raise StoppedError
        points = torch.tensor(share.part([[rng.random()] for _ in range(4)]))
        yield {"line": ((line(points) - 3 * points) ** 2)[:, 0]}

    return losses


def test_a_stage_is_taken_up_where_it_was_left(tmp_path, monkeypatch):
    """What was interrupted and went on has the same weights as what wasn't; what is done is not done again."""
    monkeypatch.setattr(learning, "SAVED_EVERY", 4)
    stage = Stage("line", 20, 4, 0.1, 0, {})

    def learn(folder: str, stop_at: int | None = None) -> torch.Tensor:
        torch.manual_seed(0)
        line = torch.nn.Linear(1, 1)
        (tmp_path / folder).mkdir(exist_ok=True)
        learner = Learner({"line": line}, tmp_path / folder, 0, print, Share())
        learner.learn(stage, lesson_of(line, stop_at), list(line.parameters()))
        return line.weight

    whole = learn("whole")
    with pytest.raises(StoppedError):
        learn("parted", stop_at=10)
    assert torch.equal(learn("parted"), whole)
    assert torch.equal(learn("parted", stop_at=0), whole)
