"""The public API: every name that a user writes, and what importing it loads."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import emoprefer_bench

ROOT = Path(__file__).parents[1]
USAGE = ROOT / "tests" / "typed" / "usage.py"
CHILDREN = sorted(
    f"emoprefer_bench.engines.children.{file.stem}"
    for file in (ROOT / "emoprefer_bench" / "engines" / "children").glob("*.py")
    if file.stem not in ("__init__", "vllm_worker")  # the latter is loaded by vLLM, in its own processes
)


def _loaded(statement: str, *names: str) -> list[str]:
    """Those of `names` that a new process has loaded after the statement."""
    script = f"import sys\n{statement}\nprint(*sorted({set(names)!r} & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_importing_the_package_loads_nothing_of_weight():
    """A script that wants one name waits for that name alone."""
    heavy = ("pytest", "numpy", "pandas", "msgspec", "av", "torch", "transformers", "vllm", "asyncio")
    assert _loaded("import emoprefer_bench", *heavy) == []


@pytest.mark.parametrize("name", emoprefer_bench.__all__)
def test_every_public_name_is_there_and_documented(name):
    """Each loads when it is first used, from the module that defines it, and says what it is."""
    value = getattr(emoprefer_bench, name)
    assert name in dir(emoprefer_bench)
    assert isinstance(value, str) or value.__doc__ or name == "Label"


def test_a_reader_of_reports_needs_no_pytest():
    """`load` is for notebooks."""
    folder = str(ROOT / "tests" / "golden")
    assert _loaded(f"import emoprefer_bench; emoprefer_bench.load({folder!r}).cases()", "pytest") == []


def test_the_version_is_that_of_the_installed_package():
    """Nobody has to keep it in two places."""
    assert emoprefer_bench.__version__ == importlib.metadata.version("emoprefer-bench")


def test_another_name_is_an_attribute_error():
    """A misspelt name fails as it does in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'vlm'"):
        _ = emoprefer_bench.vlm


def test_the_typing_test_uses_every_public_name_and_mypy_reads_it():
    """A name that is added to `__all__` wants a line there, as a user would write it."""
    used = {node.attr for node in ast.walk(ast.parse(USAGE.read_text())) if isinstance(node, ast.Attribute)}
    used |= {node.id for node in ast.walk(ast.parse(USAGE.read_text())) if isinstance(node, ast.Name)}
    assert set(emoprefer_bench.__all__) - used == set()
    assert "tests/typed" in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]


@pytest.mark.parametrize("module", [*CHILDREN, "emoprefer_bench.media.child", "emoprefer_bench.protocol.worker"])
def test_children_start_without_pytest_and_pandas(module):
    """A child loads what its model wants (arrays of clips: numpy), and nothing that only the parent needs."""
    assert _loaded(f"import {module}", "pytest", "_pytest", "pandas", "msgspec", "tabulate", "xdist") == []
