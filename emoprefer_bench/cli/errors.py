"""Why a command can't be carried out, and the exit status that it then has."""

from __future__ import annotations

from emoprefer_bench.errors import EmopreferError

FAULTY, MISUSED = 1, 2


class CommandError(EmopreferError):
    """Something can't be done; the message says what, and how to mend it. `status` is the exit status."""

    def __init__(self, message: str, status: int = MISUSED) -> None:
        super().__init__(message)
        self.status = status
