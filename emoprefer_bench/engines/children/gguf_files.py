"""Weights in a GGUF file, which transformers reads anew for the configuration, for the tokenizer and for the weights.

Only the child process of the transformers engine imports it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = ("GGUFReader", "get_tensor_name_map")
"""What of the package `gguf` takes seconds, being written in Python, and gives the same for the same arguments."""


@contextlib.contextmanager
def read_once() -> Iterator[None]:
    """Have a file read once, as long as this is entered, and the names of its tensors worked out once."""
    if importlib.util.find_spec("gguf") is None:  # transformers says so better
        yield
        return
    package = importlib.import_module("gguf")
    own = {name: getattr(package, name) for name in SLOW}
    try:
        for name, function in own.items():
            setattr(package, name, functools.cache(function))
        yield
    finally:
        for name, function in own.items():
            setattr(package, name, function)
