"""Code concerned with the ways one person or place may be written down, and with finding any of them in a text."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

Trace = tuple[bytes, ...]
"""All spellings of one thing that stands for one person or place; each alone gives it away."""


def of_pseudonym(raw: bytes) -> Trace:
    """A pseudonym of 16 bytes: as it is, in hexadecimal digits, base 64, as UUID, and as Python and JSON show bytes."""
    shown = repr(raw)[2:-1]
    digits = raw.hex()
    return (
        raw,
        digits.encode(),
        digits.upper().encode(),
        b64encode(raw).rstrip(b"="),
        urlsafe_b64encode(raw).rstrip(b"="),
        str(UUID(bytes=raw)).encode(),
        shown.encode(),
        json.dumps(shown)[1:-1].encode(),
    )


def of_cell(cell: int) -> Trace:
    """A fine H3 cell, whatever time stands beside it: its number, and its name."""
    return str(cell).encode(), f"{cell:x}".encode()


def of_device(name: str) -> Trace:
    """The name under which a device publishes."""
    return (name.encode(),)


def found(traces: Sequence[Trace], text: bytes) -> int:
    """How many of them stand in a text."""
    return sum(any(spelling in text for spelling in trace) for trace in traces)
