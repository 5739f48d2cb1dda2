"""One base for every error that people meet, and a tree of them that is true."""

from __future__ import annotations

import importlib
import pkgutil
import re

import emoprefer_bench
from emoprefer_bench import errors

CHILDREN = ("__main__", "child", "children")  # what runs as a process of its own, and has errors of its own


def _subclasses(kind):
    for derived in kind.__subclasses__():
        yield derived
        yield from _subclasses(derived)


def _load_everything():
    for module in pkgutil.walk_packages(emoprefer_bench.__path__, "emoprefer_bench."):
        if not any(part in CHILDREN for part in module.name.split(".")) and ".demo" not in module.name:
            importlib.import_module(module.name)


def _written():
    """The tree of the docstring: the room of each error by name."""
    lines = re.findall(r"^[├└]── (\w+) +(.+)$", errors.__doc__, re.MULTILINE)
    return {name: room for room, names in lines for name in re.findall(r"\w+Error", names)}


def test_the_tree_names_every_error_in_its_room():
    """The docstring of errors.py lists all errors that derive from the base, each in the room that defines it."""
    _load_everything()
    rooms = {kind.__name__: kind.__module__.split(".")[1] for kind in _subclasses(errors.EmopreferError)}
    assert _written() == rooms


def test_every_error_class_of_the_parent_derives_from_the_base():
    """Nothing that this package raises by a class of its own escapes `except EmopreferError`."""
    _load_everything()
    strays = [
        f"{kind.__module__}.{kind.__name__}"
        for kind in _subclasses(Exception)
        if kind.__module__.startswith("emoprefer_bench.") and not issubclass(kind, errors.EmopreferError)
        if not kind.__module__.startswith("emoprefer_bench.engines.children.")  # which other tests import
    ]
    assert strays == []
