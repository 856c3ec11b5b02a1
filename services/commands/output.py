"""Code concerned with what a command prints: sentences for a person, or exactly one JSON document for a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def report(document: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print the result of a command on standard output, for a program or for a person."""
    if as_json:
        import orjson

        print(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode(), flush=True)
    else:
        for line in lines:
            print(line, flush=True)
