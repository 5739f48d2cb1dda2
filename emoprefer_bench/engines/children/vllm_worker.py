"""What vLLM imports in each of its worker processes (`worker_extension_cls`): importing this mends positions there."""

from __future__ import annotations

from emoprefer_bench.engines.children import positions

_numbered = 0


def _counted() -> None:
    global _numbered  # noqa: PLW0603  # one number a process, as what is mended is
    _numbered += 1


positions.mend_vllm(_counted)


class Worker:
    """Becomes a base of vLLM's worker; what is public can be called in all workers from without."""

    def prompts_numbered(self) -> int:
        """Say how many prompts were given their positions by the mended code: none, and vLLM went another way."""
        return _numbered
