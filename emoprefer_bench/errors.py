"""Every error of this package that people meet has one base class, so that one `except` catches them all.

EmopreferError
├── data          DatasetError, FetchError
├── media         MediaError, DecodeError
├── prompts       PromptPackError
├── engines       WeightsError, DeclarationError, LeaseError, FleetError
├── protocol      LoadError, ChildDiedError, QuestionError, MessageError
├── trial         StoreError, PruneError, NotLoadedError, CannotWeighError, EndedError, UnusableAnswerError
├── gates         LimitError, BaselineError
├── replay        ReplayError
├── document      DocumentError
├── scoring       RankingError, FusionError
├── reports       FormError, PredictionsError
└── cli           CommandError

Each is defined in its room, and its message says what is wrong, where, and how to mend it. NotLoadedError,
CannotWeighError, EndedError and UnusableAnswerError never leave the trial: a strategy ends by them (by
CannotWeighError its case is skipped). Children have errors of their own, which reach the parent as text.
"""

from __future__ import annotations


class EmopreferError(Exception):
    """Something that this package can't do as it was asked; the message says what, where, and how to mend it."""
