"""Code concerned with finding what a request names: sensors by code, with the nearest code when one is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from services.domain import Kind
from services.errors import InputError, NotFoundError
from services.storage import sensors
from services.storage.database import Connection


def require_sensors(connection: Connection, codes: Sequence[str]) -> dict[str, tuple[int, Kind]]:
    """Number and kind by code.

    Raises:
        NotFoundError: a code is unknown; the message names the nearest one.

    """
    found = sensors.resolve(connection, list(codes))
    unknown = next((code for code in codes if code not in found), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, sorted(sensors.places(connection)), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "GET /api/v1/sensors lists those there are"
        message = f"there is no sensor {unknown[:128]!r}: {hint}"
        raise NotFoundError(message)
    return found


def split_codes(given: Sequence[str] | None) -> list[str]:
    """The codes of a repeatable, comma-separated parameter, each once, in the order given."""
    return list(dict.fromkeys(code for text in given or () for code in text.split(",") if code))


def one_kind(found: dict[str, tuple[int, Kind]], asked: Kind | None) -> Kind:
    """The kind all these sensors have: `asked` or theirs, traffic when there are none.

    Raises:
        InputError: they have several kinds, or another one than `asked`.

    """
    kinds = {kind for _, kind in found.values()}
    if asked is None and len(kinds) <= 1:
        return kinds.pop() if kinds else Kind.TRAFFIC
    for code, (_, kind) in found.items():
        if asked is not None and kind is not asked:
            message = f"sensor {code!r} is of kind {kind}, not {asked}: leave `kind` out or ask for other sensors"
            raise InputError(message)
    if asked is not None:
        return asked
    message = f"these sensors are of several kinds ({', '.join(sorted(kinds))}), whose columns differ: ask for one kind at a time"
    raise InputError(message)
