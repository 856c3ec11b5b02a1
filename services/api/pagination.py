"""Code concerned with pages: an opaque cursor that names the last row seen, and the link to the next page.

A cursor carries a fingerprint of the question it belongs to, so that it cannot be used with another one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from services.errors import InputError

Key = tuple[str | int, ...]

DEFAULT_LIMIT: Final = 1_000
MOST_LIMIT: Final = 10_000
_LARGEST: Final = 2**62
_Row = TypeVar("_Row")


def fingerprint(question: Sequence[object]) -> str:
    """Eight hexadecimal digits that differ between different questions."""
    return hashlib.sha256(repr(tuple(question)).encode()).hexdigest()[:8]


def encode_cursor(key: Key, question: str) -> str:
    """The opaque text of a position."""
    text = json.dumps([question, *key], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, question: str, types: tuple[type[str | int], ...]) -> Key:
    """The position a cursor names.

    Args:
        cursor: text made by `encode_cursor`.
        question: the fingerprint of the question asked now.
        types: the types of the key's parts.

    Raises:
        InputError: it is not a cursor of this API, or belongs to another question.

    """
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        parts = None
    shape = (str, *types)
    whole = isinstance(parts, list) and len(parts) == len(shape)
    if not whole or not all(_is_a(wanted, part) for part, wanted in zip(parts, shape, strict=True)):
        message = "this cursor is not one of this API: follow the `next` link as it is"
        raise InputError(message)
    if parts[0] != question:
        message = "this cursor belongs to another query: follow the `next` link as it is, or start without a cursor"
        raise InputError(message)
    return tuple(parts[1:])


def _is_a(wanted: type[str | int], part: object) -> bool:
    """Whether a part has exactly this type and can be sent to the database."""
    if isinstance(part, str):
        return wanted is str and part.isprintable()
    return type(part) is wanted and isinstance(part, int) and abs(part) < _LARGEST


def next_url(request: Request, changes: Mapping[str, str]) -> str:
    """The address of the next page: this request's query with `changes`."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes and value]
    return f"{base_url(request)}{request.url.path}?{urlencode([*kept, *changes.items()])}"


def cut(
    rows: Sequence[_Row],
    most: int | None,
    key: Callable[[_Row], Key],
    request: Request,
    question: str,
    fixed: Mapping[str, str] | None = None,
) -> tuple[Sequence[_Row], str | None]:
    """One page, and the address of the next.

    Args:
        rows: in order of `key`, beginning with the page; one more than a page is enough.
        most: rows of a page; None is all.
        key: what the cursor says of a row.
        request: which asked for them.
        question: its fingerprint.
        fixed: parameters whose default is a moment, such as now, as they were taken for this page.

    Returns:
        At most `most` rows; None where nothing follows.

    """
    if most is None or len(rows) <= most:
        return rows, None
    page = rows[:most]
    return page, next_url(request, {**(fixed or {}), "cursor": encode_cursor(key(page[-1]), question)})


def base_url(request: Request) -> str:
    """Scheme and host as clients see them, without a slash at the end."""
    public: str | None = request.app.state.public_url
    return public or f"{request.url.scheme}://{request.url.netloc}"


def link_header(url: str | None) -> dict[str, str]:
    """The RFC 8288 header of the next page, if there is one."""
    return {} if url is None else {"Link": f'<{url}>; rel="next"'}
