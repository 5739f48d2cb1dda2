"""What only a GPU can show: `python -m tests.gpu` runs it there, without a network, in a few minutes.

`python -m tests.gpu --cpu` walks the same code on a CPU, with tiny models and no claim.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BROUGHT = ROOT / "build" / "gpu-wheels"
"""Wheels for a machine that has no network; `python -m tests.gpu --bring` puts them there."""

for folder in (ROOT, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
