"""The built-in models, for other repositories: `from emoprefer_bench.judges import qwen25omni_7b` in a conftest.py.

They are the fixtures of this repository's own conftest.py, which an installed package has as `benchmark/conftest.py`.
S3 and S4 need their text LLM, too: `from emoprefer_bench.judges import qwen25_7b`. With `--emoprefer-judges` they are
there without any import, as are the models of other packages that have entry points in the group
`emoprefer_bench.judges`, each a module of such fixtures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...  # noqa: ANN401  # what pytest makes of a decorated function


def _file() -> Path:
    """Where the fixtures are declared: beside the benchmark of an installed package, or in the checkout."""
    here = Path(__file__).parent
    installed = here / "benchmark" / "conftest.py"
    return installed if installed.is_file() else here.with_name("conftest.py")


_declared: dict[str, Any] = {"__name__": __name__, "__file__": str(_file())}
exec(compile(_file().read_bytes(), _file(), "exec"), _declared)  # noqa: S102  # a file of this very project
_models = {name: value for name, value in _declared.items() if hasattr(value, "emoprefer_model")}
globals().update(_models)

__all__ = list(_models)
