"""Where the small judge learns: its clips are made ready, and processes go through the stages together."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed
import transformers

from emoprefer_bench import prompts
from emoprefer_bench.demo.scenes import dice
from emoprefer_bench.demo.train.batches import Desk, Library, collated
from emoprefer_bench.demo.train.exam import Exam
from emoprefer_bench.demo.train.learning import Learner, Readers, Senses, Share, answer_losses, perceive
from emoprefer_bench.demo.train.media import Prompts, encode
from emoprefer_bench.demo.train.questions import Modality, Teacher
from emoprefer_bench.demo.train.stages import SENSES, STAGES, Stage
from emoprefer_bench.demo.train.world import Lesson, lessons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

EXAM_ROWS = 60
PERCEIVED: tuple[Modality, ...] = ("audiovideo", "audio", "video")
SHORT = {"audiovideo": "av", "audio": "a", "video": "v", "text": "t"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: the folder for everything on the way, the seed, and how many clips there are."""

    work: Path
    seed: int
    clips: int
    exam: int
    processes: int

    @property
    def blank(self) -> Path:
        """The checkpoint that has learned nothing."""
        return self.work / "blank"

    @property
    def films(self) -> Path:
        """The clips."""
        return self.work / "clips"

    def scenes(self) -> list[Lesson]:
        """Return the scenes to learn from."""
        return lessons(self.clips, "lesson")

    def examined(self) -> list[Lesson]:
        """Return scenes that are never learned from."""
        return lessons(self.exam, "exam")


class School:
    """Clips, questions and a model. Made once; then each process goes through the stages with its share of the rows."""

    def __init__(self, plan: Plan) -> None:
        torch.set_num_threads(1 if plan.processes > 1 else torch.get_num_threads())
        transformers.logging.set_verbosity_error()
        self._plan = plan
        self._share = Share()
        self._prompts = Prompts(plan.blank)
        scenes, exam = plan.scenes(), plan.examined()
        clips = [plan.films / f"{scene.name}.mp4" for scene in (*exam, *scenes)]
        self._media = encode(clips, plan.blank, plan.processes, self._tell)
        self._exam = Library(exam, self._media[: len(exam)])
        self._library = Library(scenes, self._media[len(exam) :])
        self.model: Any = transformers.Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            plan.blank, dtype=torch.float32
        )
        torch.manual_seed(plan.seed)
        self._senses = Senses(self.model, self._library, SENSES.batch)
        self._readers = Readers(self.model)

    def teach(self) -> None:
        """Go through all stages, in as many processes as planned."""
        meeting = self._plan.work / "meeting"
        meeting.unlink(missing_ok=True)
        fork = get_context("fork")
        pupils = [fork.Process(target=self._attend, args=(number,)) for number in range(self._plan.processes)]
        for pupil in pupils:
            pupil.start()
        for pupil in pupils:
            pupil.join()
        if any(pupil.exitcode for pupil in pupils):
            sys.exit("A process failed; its message stands above. Run the same command again to go on from there.")

    def _attend(self, number: int) -> None:
        """Be the process of that number."""
        gc.freeze()  # what PyAV scaled before the fork can't be let go here: its threads are the parent's
        self._share = Share(number, self._plan.processes)
        if self._share.of > 1:
            meeting = f"file://{self._plan.work.resolve()}/meeting"
            torch.distributed.init_process_group("gloo", init_method=meeting, rank=number, world_size=self._share.of)
        senses = self._senses
        parts = {"model": self.model, "senses": senses, "readers": self._readers}
        learner = Learner(parts, self._plan.work, self._plan.seed, self._tell, self._share)
        if learner.learn(SENSES, senses.losses, senses.weights()):
            self._tell(f"senses, on scenes never seen: {senses.scores(self._exam)}")
        perceive(self.model, self._media)
        language = [*self.model.model.parameters(), *self.model.lm_head.parameters(), *self._readers.parameters()]
        for stage in STAGES:
            if learner.learn(stage, self._questions(stage), language) and not number:
                self._examine(stage)
            self._wait()

    def _questions(self, stage: Stage) -> Any:
        desk = Desk(self._library, self._prompts, Teacher(prompts.load(), stage.long_share))
        modalities = list(stage.course)
        weights = [stage.course[modality][0] for modality in modalities]

        def losses(rng: Random, share: Share) -> Iterator[dict[str, torch.Tensor]]:
            modality = rng.choices(modalities, weights)[0]
            recipes = stage.course[modality][1]
            kinds = rng.choices(list(recipes), list(recipes.values()))[0]
            seeds = share.part([rng.getrandbits(64) for _ in range(stage.batch // len(kinds))])
            for seed in seeds:
                pack = desk.pack(modality, kinds, dice(seed))
                found = answer_losses(
                    self.model, self._readers, collated([pack], self.model), stage.matches, stage.slots, stage.verdicts
                )
                yield {f"{SHORT[modality]}.{kind}": values for kind, values in found.items()}

        return losses

    def _examine(self, stage: Stage) -> None:
        """Tell how often the answer to a question about a scene never seen is the right one.

        And how often the right one of two descriptions is likelier: by what the clip adds to it, and (in brackets) as
        it is with the clip.
        """
        self.model.eval()
        exam = Exam(self.model, self._exam, self._prompts)
        scores = [
            f"{SHORT[modality]}.{kind} {exam.right(kind, modality, EXAM_ROWS, stage.long_share):.2f}"
            for kind in stage.examined
            for modality in PERCEIVED
        ]
        if "judge" in stage.examined:
            likelier = ((modality, exam.likelier(modality, EXAM_ROWS)) for modality in PERCEIVED)
            scores += [
                f"{SHORT[modality]}.likelier {gained:.2f} ({given:.2f})" for modality, (gained, given) in likelier
            ]
        self._tell(f"{stage.name}, on scenes never seen: {'  '.join(scores)}")

    def _wait(self) -> None:
        if self._share.of > 1:
            torch.distributed.barrier()

    def _tell(self, line: str) -> None:
        if not self._share.number:
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
