"""What a fixture's options become in a child: a dataclass of what it knows."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Known = TypeVar("Known", bound="DataclassInstance")


def checked(kind: type[Known], given: dict[str, Any], owner: str) -> Known:
    """Make a dataclass of options. Raises ValueError for a name that it lacks, and says what `owner` has instead."""
    known = [field.name for field in fields(kind)]
    for name in given:
        if name not in known:
            raise ValueError(f"{owner} has no option {name!r}; it has {', '.join(known)}")
    return kind(**given)
