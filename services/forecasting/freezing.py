"""Code concerned with keeping fitted models: a tree of frozen dataclasses and arrays as bytes, and back without a copy.

A short JSON head names the dataclasses and says where each array lies; the arrays follow, aligned, so that a file can be
mapped into memory and only what a forecast looks at is ever read. Only dataclasses of the package `models` are made when
reading, with their fields as they stand: nothing that was stored is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_ALIGNED: Final = 64
_MAGIC: Final = b"ARTERIA1"
_KINDS: Final = frozenset("biuf")


class StaleStateError(Exception):
    """What was kept does not fit the models of this version; it is learnt anew."""


def freeze(value: object) -> bytes:
    """The bytes of a tree of dataclasses of `models`, arrays of numbers, numbers, texts, ranges, tuples, lists and dicts.

    Raises:
        TypeError: something else is in it; the message says what.

    """
    arrays: list[NDArray[Any]] = []
    tree = _described(value, arrays)
    places, offset = [], 0
    for array in arrays:
        places.append([array.dtype.str, list(array.shape), offset])
        offset += -(-array.nbytes // _ALIGNED) * _ALIGNED
    head = json.dumps([tree, places], separators=(",", ":")).encode()
    head += b" " * (-(len(_MAGIC) + 8 + len(head)) % _ALIGNED)
    parts = [_MAGIC, len(head).to_bytes(8, "little"), head]
    for array in arrays:
        parts += [array.tobytes(), bytes(-array.nbytes % _ALIGNED)]
    return b"".join(parts)


def thaw(data: bytes | memoryview) -> Any:
    """What was frozen; its arrays are read-only views of `data`.

    Raises:
        StaleStateError: it was frozen by another version of the models, or is damaged.

    """
    view = memoryview(data)
    begin = len(_MAGIC) + 8
    if bytes(view[: len(_MAGIC)]) != _MAGIC:
        message = "these are not the bytes of a fitted model"
        raise StaleStateError(message)
    length = int.from_bytes(view[len(_MAGIC) : begin], "little")
    try:
        tree, places = json.loads(bytes(view[begin : begin + length]))
        arrays = [_array(view, begin + length, *place) for place in places]
        return _made(tree, arrays)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, ImportError) as error:
        message = f"a fitted model of another version: {error}"
        raise StaleStateError(message) from error


@cache
def code_hash() -> str:
    """A digest of the code of all models: what another version has learnt is not used."""
    digest = hashlib.sha256()
    for file in sorted(files("models").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


def _array(view: memoryview, base: int, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    count = int(np.prod(shape, dtype=np.int64))
    found = np.frombuffer(view, dtype=np.dtype(dtype), count=count, offset=base + offset)
    return found.reshape(shape)


def _described(value: object, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _KINDS:
            message = f"an array of {value.dtype} cannot be kept"
            raise TypeError(message)
        arrays.append(np.ascontiguousarray(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, np.generic):
        return _described(value.item(), arrays)
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return {"plain": value}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_described(one, arrays) for one in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_described(key, arrays), _described(one, arrays)] for key, one in value.items()]}
    kind = type(value)
    if is_dataclass(value) and kind.__module__.split(".")[0] == "models":
        told = {field.name: _described(getattr(value, field.name), arrays) for field in fields(value)}
        return {"of": [kind.__module__, kind.__qualname__], "fields": told}
    message = f"a value of type {kind.__module__}.{kind.__qualname__} cannot be kept"
    raise TypeError(message)


def _made(tree: dict[str, Any], arrays: list[NDArray[Any]]) -> Any:
    if "of" in tree:
        return _instance(tree, arrays)
    ((kind, value),) = tree.items()
    match kind:
        case "array":
            return arrays[value]
        case "plain":
            return value
        case "float":
            return float.fromhex(value)
        case "range":
            return range(*value)
        case "tuple":
            return tuple(_made(one, arrays) for one in value)
        case "list":
            return [_made(one, arrays) for one in value]
        case "dict":
            return {_made(key, arrays): _made(one, arrays) for key, one in value}
    raise KeyError(kind)


def _instance(tree: dict[str, Any], arrays: list[NDArray[Any]]) -> Any:
    """A dataclass with its fields as they were, not run through its constructor."""
    module, name = tree["of"]
    if module.split(".")[0] != "models":
        raise KeyError(module)
    kind = getattr(import_module(module), name)
    told = tree["fields"]
    if not (isinstance(kind, type) and is_dataclass(kind)) or {field.name for field in fields(kind)} != set(told):
        message = f"{name} has other fields now"
        raise KeyError(message)
    made = object.__new__(kind)
    for field, value in told.items():
        object.__setattr__(made, field, _made(value, arrays))
    return made
