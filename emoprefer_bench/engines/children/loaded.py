"""Which commit of a model of the hub was loaded, as the hub's own client finds it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def revision(message: dict[str, Any]) -> str | None:
    """Return the commit of what a `load` message led to; None for a folder, or where the client has no such model."""
    from huggingface_hub import try_to_load_from_cache

    model = message["model"]
    if Path(model).exists():
        return None
    config = try_to_load_from_cache(model, "config.json", revision=message["revision"])
    return Path(config).parent.name if isinstance(config, str) else None
