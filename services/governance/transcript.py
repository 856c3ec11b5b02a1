"""Code concerned with the audit log as a file: one JSON document a line, from which every hash can be worked out again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson

from services.errors import ConfigurationError, InputError, reason
from services.storage.audit import Entry


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seq: int
    at: datetime
    role: str
    actor: str
    action: str
    body: str
    prev: str
    hash: str


def document(entry: Entry) -> dict[str, Any]:
    """One row as JSON; `body` is opened up."""
    return {
        "seq": entry.seq,
        "at": entry.at,
        "role": entry.role,
        "actor": entry.actor,
        "action": entry.action,
        "body": orjson.loads(entry.body),
        "hash": entry.hash.hex(),
    }


def write(entries: Iterable[Entry], file: Path) -> int:
    """Write all rows; `body` stays the text that was hashed. How many there were.

    Raises:
        ConfigurationError: the file cannot be written.

    """
    rows = 0
    try:
        with file.open("wb") as stream:
            for entry in entries:
                line = document(entry) | {"body": entry.body, "prev": entry.prev.hex()}
                stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
                rows += 1
    except OSError as error:
        message = f"the log cannot be written to {file}: {error.strerror}"
        raise ConfigurationError(message) from error
    return rows


def read(file: Path) -> Iterator[Entry]:
    """The rows of such a file.

    Raises:
        InputError: the file cannot be read, or a line is no row.

    """
    done = 0
    try:
        with file.open("rb") as stream:
            for line in stream:
                row = msgspec.json.decode(line, type=_Line)
                yield Entry(
                    seq=row.seq,
                    at=row.at,
                    role=row.role,
                    actor=row.actor,
                    action=row.action,
                    body=row.body,
                    prev=bytes.fromhex(row.prev),
                    hash=bytes.fromhex(row.hash),
                )
                done += 1
    except (OSError, msgspec.DecodeError, ValueError) as error:
        message = f"{file} is not an export of the audit log (line {done + 1}): {reason(error)}"
        raise InputError(message) from error
