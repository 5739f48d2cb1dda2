"""torchvision beside a build of torch that it wasn't compiled for. Only child processes import it.

transformers prepares pictures by functions of torchvision which are torch's own underneath, and uses none of its
compiled operators. PyPI's torchvision is compiled against CUDA. Beside the small CPU build of torch its library doesn't
load, and then its import fails at two operators that it expects to exist: to be declared is all that they need.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def declare_operators() -> torch.library.Library | None:
    """Declare torchvision's operators where its own library can't be loaded; the result holds them declared.

    To be called before anything imports torchvision. Does nothing where that isn't installed, or is whole.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    import torch

    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except OSError:
            continue
        return None
    declared = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in OPERATORS:
        declared.define(operator)  # type: ignore[no-untyped-call]
    return declared
