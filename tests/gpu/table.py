"""What was found, as a table of 80 columns under the card's name."""

from __future__ import annotations

import textwrap
from typing import Any

WIDTH = 80
GIB = 1 << 30


def line(row: dict[str, Any]) -> str:
    """Return a check in one line."""
    return f"{row['check']}: {row['result']}, {row.get('seconds', 0):.0f} s {row.get('why', '')}".rstrip()


def table(document: dict[str, Any]) -> str:
    """Return the table."""
    about = ", ".join(
        f"{name} {value}" if name != "card" else str(value) for name, value in document["machine"].items()
    )
    head = f"{'walked on a CPU, which shows nothing of a GPU: ' if document['cpu'] else ''}{about}"
    rows = textwrap.wrap(head, WIDTH)
    for row in document["checks"]:
        said = row.get("why") or "; ".join(_found(row.get("found", {}))) or "-"
        first = f"{row['check']:<22}{row['result']:<8}{row.get('seconds', 0):>5.0f} s  "
        rows += textwrap.wrap(first + said, WIDTH, subsequent_indent=" " * 24, drop_whitespace=True)
    return "\n".join(rows)


def _found(found: dict[str, Any]) -> list[str]:
    """Return what a check found, the figures of a pace in words."""
    if "clips_per_second" in found:
        return _pace(found)
    return [_named(name, value) for name, value in found.items()]


def _named(name: str, value: Any) -> str:
    """Return a finding in words: bytes in GiB, what has parts with each of them."""
    if isinstance(value, dict):
        return f"{name}: {', '.join(_named(part, of_it) for part, of_it in value.items())}"
    if name.startswith("bytes") and value is not None:
        return f"{name} {value / GIB:.1f} GiB"
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"


def _pace(found: dict[str, Any]) -> list[str]:
    parts = found["seconds_by_part"]
    said = [
        f"{found['clips_per_second']:.2f} clips a second",
        f"{found['clip_tokens']} tokens a clip, {found['questions']} questions",
        f"loading {found['loading']:.0f} s",
        "seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items()),
    ]
    if found["busy"] is not None:
        said.append(f"GPU busy {found['busy']:.0%}")
    if found["peak_bytes"] is not None:
        said.append(f"peak {found['peak_bytes'] / GIB:.1f} GiB")
    if "share" in found:
        said.append(f"{found['share']:.0%} of the roofline's {found['roofline']['clips']:.1f}")
    return said
