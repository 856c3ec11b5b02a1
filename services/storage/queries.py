"""Code concerned with SQL by name: each `sql/queries/<topic>.sql` holds blocks headed `-- name: <verb>`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString

_HEADER = re.compile(r"^-- name: ([a-z0-9_]+)$", re.MULTILINE)


@cache
def query(topic: str, name: str) -> LiteralString:
    """The SQL text of query `name` in `sql/queries/<topic>.sql`.

    Raises:
        KeyError: there is no such query.

    """
    return _queries_of(topic)[name]


@cache
def _queries_of(topic: str) -> dict[str, LiteralString]:
    text = (files("services.storage") / "sql" / "queries" / f"{topic}.sql").read_text(encoding="utf-8")
    parts = _HEADER.split(text)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
