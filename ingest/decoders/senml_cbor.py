"""Code concerned with SenML in CBOR (RFC 8428, section 6) on `city/v1/<kind>/<sensor>/senml-cbor`.

The labels are small integers; a number may be a decimal fraction (tag 4), every other tag is refused, as are maps with
a key twice and nesting deeper than a pack needs. The records mean what they mean in JSON and are read by `senml`.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import cbor2

from ingest.decoders.checks import Window, shown
from ingest.decoders.senml import decode_pack
from services.domain import Decoded, Message
from services.errors import InputError

_LABELS: Final = {
    -6: "bs",
    -5: "bv",
    -4: "bu",
    -3: "bt",
    -2: "bn",
    -1: "bver",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}
_DEPTH: Final = 8
_MOST_EXPONENT: Final = 400


def _decimal_fraction(parts: Any, _immutable: bool) -> float:
    if not isinstance(parts, list) or len(parts) != 2 or not all(type(part) is int for part in parts):
        message = "a decimal fraction (tag 4) is an array of an exponent and a mantissa"
        raise InputError(message)
    exponent, mantissa = parts
    if abs(exponent) > _MOST_EXPONENT:
        message = f"a decimal fraction has the exponent {exponent}, beyond all numbers"
        raise InputError(message)
    return float(f"{mantissa}e{exponent}")


def _refused(_value: Any, _immutable: bool) -> NoReturn:
    message = "it has a tag other than the decimal fraction (tag 4), which SenML does not use"
    raise InputError(message)


def _unknown(_tag: cbor2.CBORTag, _immutable: bool) -> NoReturn:
    _refused(None, _immutable)


_BUILT_IN: Final = (0, 1, 2, 3, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_TAGS: Final = {4: _decimal_fraction} | dict.fromkeys(_BUILT_IN, _refused)


def decode(message: Message, window: Window) -> Decoded:
    """All that a SenML pack in CBOR says.

    Raises:
        InputError: nothing of it can be used.

    """
    if not message.payload:
        reason = "the payload is empty"
        raise InputError(reason)
    try:
        pack = cbor2.loads(
            message.payload, max_depth=_DEPTH, allow_duplicate_keys=False, semantic_decoders=_TAGS, tag_hook=_unknown
        )
    except (cbor2.CBORDecodeError, ValueError, ArithmeticError, TypeError, EOFError, RecursionError) as error:
        why = str(error.__cause__ or error)
        reason = f"the payload is not valid CBOR: {shown(why).strip(chr(39) + chr(34))}"
        raise InputError(reason) from None
    if not isinstance(pack, list) or not pack:
        reason = "a SenML pack is a CBOR array of records"
        raise InputError(reason)
    return decode_pack([_named(record) for record in pack], message, window)


def _named(record: object) -> object:
    """A record with the labels of JSON; keys that are neither a label nor text keep their number as text."""
    if not isinstance(record, dict):
        return record
    return {_LABELS.get(key, str(key)) if type(key) is int else str(key): value for key, value in record.items()}
