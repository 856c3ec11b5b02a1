"""Code concerned with protocol buffers as they travel: fields of a message by number, within the bytes given.

Only what Sparkplug needs: variable-length integers, fixed 32 and 64 bits, and lengths; groups, which nobody sends any
more, are refused. Nothing is copied but the bytes of the fields, and nothing nests by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from services.errors import InputError

_VARINT: Final = 0
_FIXED_64: Final = 1
_LENGTH: Final = 2
_FIXED_32: Final = 5
_MOST_VARINT_BYTES: Final = 10


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values: an integer for variable-length ones, the bytes for all others.

    Raises:
        InputError: the message ends inside a field, or has a wire type that does not exist.

    """
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if number == 0:
            reason = f"the payload is not a protocol buffer: the field number is 0, at byte {place}"
            raise InputError(reason)
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == _LENGTH:
            size, place = _varint(message, place)
        elif wire in (_FIXED_64, _FIXED_32):
            size = 8 if wire == _FIXED_64 else 4
        else:
            reason = f"the payload is not a protocol buffer: there is no wire type {wire}, at byte {place}"
            raise InputError(reason)
        if size > end - place:
            reason = (
                f"the payload is not a whole protocol buffer: a field needs {size:,} bytes, {end - place:,} are left"
            )
            raise InputError(reason)
        yield number, message[place : place + size]
        place += size


def double(value: int | bytes) -> float:
    """The float or double that four or eight bytes hold.

    Raises:
        InputError: they are neither.

    """
    if isinstance(value, bytes) and len(value) in (4, 8):
        return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])
    reason = "a field that should be a float or double has another wire type"
    raise InputError(reason)


def integer(value: int | bytes) -> int:
    """The unsigned integer of a variable-length field.

    Raises:
        InputError: it has another wire type.

    """
    if isinstance(value, int):
        return value
    reason = "a field that should be an integer has another wire type"
    raise InputError(reason)


def octets(value: int | bytes) -> bytes:
    """The bytes of a field with a length.

    Raises:
        InputError: it has another wire type.

    """
    if isinstance(value, bytes):
        return value
    reason = "a field that should be text or a message has another wire type"
    raise InputError(reason)


def text(value: int | bytes) -> str:
    """The text of a field.

    Raises:
        InputError: it has another wire type, or is not UTF-8.

    """
    try:
        return octets(value).decode()
    except UnicodeDecodeError:
        reason = "a text in the payload is not valid UTF-8"
        raise InputError(reason) from None


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    for octet in message[place : place + _MOST_VARINT_BYTES]:
        value |= (octet & 0x7F) << shift
        place += 1
        if octet < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    reason = f"the payload is not a whole protocol buffer: an integer does not end, at byte {place}"
    raise InputError(reason)
