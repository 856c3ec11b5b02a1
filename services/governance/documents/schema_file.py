"""Code concerned with schemas that others publish: reading a downloaded file, and holding a document against it.

What was published is not always a schema a validator takes. The files of https://standaard.algoritmeregister.org call
themselves draft 2020-12 and mark each required field with `"required": true` inside it, as draft 3 did; that is read as
meant, and said. GOV.UK keeps one file for all its formats, so a part of a file can be named: `schema.json#/definitions/…`.
Nothing is fetched: a file that refers to another one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from services.errors import ConfigurationError, InputError, reason
from services.governance.documents.document import Problem
from services.governance.documents.opening import BY_A_PERSON, asked_by

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_HERE: Final = "urn:arterial:schema"
_DRAFT_3: Final = "http://json-schema.org/draft-03/schema"
_NEWEST: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a schema file says of a document.

    Attributes:
        schema: the file, and the part of it.
        dialect: the JSON Schema draft it is written in.
        marked_fields: how many fields it marks as required in the way of draft 3 without being one.
        parts: the places of the document that were held against it, such as `registrations.0`; empty for the whole.
        problems: what does not fit, field by field.

    """

    schema: str
    dialect: str
    marked_fields: int
    parts: tuple[str, ...]
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        """The verdict for a program."""
        return {
            "schema": self.schema,
            "dialect": self.dialect,
            "marked_fields": self.marked_fields,
            "parts": list(self.parts),
            "fits": not self.problems,
            "problems": [{"field": one.field, "sentence": one.sentence} for one in self.problems],
        }


def hold_against(content: Mapping[str, Any], part: str, given: str) -> Verdict:
    """Hold parts of some content against a schema file. What only waits to be said counts as missing.

    Args:
        content: JSON.
        part: where its parts are, `*` for each entry of a list: `registrations.*`. Empty: all of it is one.
        given: the path of a JSON Schema file of any draft, with `#/…` behind it where only a part of the file is meant.

    Raises:
        InputError: the file cannot be read, is no JSON, no schema, or needs another file.
        ConfigurationError: the package jsonschema is not installed.

    """
    validator, dialect, marked = _validator(given)
    parts = list(_parts(content, part))
    problems = [problem for place, value in parts for problem in _misfits(validator, place, _said(value), given)]
    return Verdict(
        schema=given,
        dialect=dialect,
        marked_fields=marked,
        parts=tuple(place for place, _ in parts),
        problems=tuple(problems),
    )


def _validator(given: str) -> tuple[Validator, str, int]:
    try:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from referencing import Registry, Resource
        from referencing.jsonschema import specification_with
    except ImportError as error:
        message = "schema files need the package jsonschema: pip install 'arterial[governance]'"
        raise ConfigurationError(message) from error
    path, mark, pointer = given.partition("#/")
    root = _read(Path(path))
    dialect = str(root.get("$schema", _NEWEST)).removesuffix("#")
    kind: Any = validator_for({"$schema": dialect}, default=None)
    if kind is None:
        message = f"{path} is written in {dialect}, which is no draft of JSON Schema that is known here"
        raise InputError(message)
    schema, marked = (root, 0) if dialect == _DRAFT_3 else _required_lifted(root)
    part = _inside(schema, pointer, given)
    try:
        kind.check_schema(part)
    except SchemaError as error:
        place = "/".join(str(step) for step in error.absolute_path)
        message = f"{given} is not a JSON Schema: at {place or 'its beginning'}, {error.message}"
        raise InputError(message) from error
    resource = Resource.from_contents(schema, default_specification=specification_with(dialect))
    registry: Registry[Any] = Registry().with_resource(_HERE, resource)
    if resource.id() is not None:
        registry = resource @ registry
    start = {"$schema": dialect, "$ref": f"{_HERE}{mark}{pointer}"}
    return kind(start, registry=registry.crawl(), format_checker=kind.FORMAT_CHECKER), dialect, marked


def _read(path: Path) -> Mapping[str, Any]:
    try:
        root = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {reason(error)}"
        raise InputError(message) from error
    except ValueError as error:
        message = f"{path} is not JSON: {error}. Download the schema itself, not the page about it or its source"
        raise InputError(message) from error
    if not isinstance(root, Mapping):
        message = f"{path} is not a JSON Schema, which is an object"
        raise InputError(message)
    return root


def _required_lifted(schema: Any) -> tuple[Any, int]:
    """A schema in which `required: true` inside a field stands as a name in the list of the object, and how many did."""
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        entries = [_required_lifted(entry) for entry in schema]
        return [entry for entry, _ in entries], sum(count for _, count in entries)
    if not isinstance(schema, Mapping):
        return schema, 0
    lifted = dict(schema)
    fields = schema.get("properties")
    marks = {}
    if isinstance(fields, dict):
        marks = {name: field["required"] for name, field in fields.items() if _is_marked(field)}
        lifted["properties"] = {
            name: _without(field, "required") if name in marks else field for name, field in fields.items()
        }
    if marks:
        named = schema.get("required")
        lifted["required"] = [*(named if isinstance(named, list) else []), *(name for name in marks if marks[name])]
    inner = {name: _required_lifted(value) for name, value in lifted.items()}
    return {name: value for name, (value, _) in inner.items()}, len(marks) + sum(count for _, count in inner.values())


def _is_marked(field: object) -> bool:
    return isinstance(field, Mapping) and isinstance(field.get("required"), bool)


def _without(field: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in field.items() if key != name}


def _inside(schema: Any, pointer: str, given: str) -> Any:
    part = schema
    for step in filter(None, pointer.split("/")):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(part, Mapping) or name not in part:
            message = f"{given}: the file has no part {name!r} there"
            raise InputError(message)
        part = part[name]
    return part


def _parts(value: Any, part: str, place: str = "") -> Iterator[tuple[str, Any]]:
    step, _, rest = part.partition(".")
    if not step:
        yield place, value
    elif step == "*":
        for number, entry in enumerate(value):
            yield from _parts(entry, rest, f"{place}.{number}")
    else:
        yield from _parts(value[step], rest, f"{place}.{step}".removeprefix("."))


def _said(value: Any) -> Any:
    """A value without what only says that somebody has to say it."""
    if isinstance(value, Mapping):
        return {name: _said(entry) for name, entry in value.items() if not _waits(entry)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_said(entry) for entry in value if not _waits(entry)]
    return value


def _waits(value: Any) -> bool:
    return isinstance(value, str) and (bool(asked_by(value)) or value.startswith(BY_A_PERSON))


def _misfits(validator: Validator, place: str, value: Any, given: str) -> Iterator[Problem]:
    from referencing.exceptions import Unresolvable

    try:
        for fault in sorted(validator.iter_errors(value), key=lambda one: [str(step) for step in one.absolute_path]):
            steps = [place, *(str(step) for step in fault.absolute_path)]
            yield Problem(field=".".join(filter(None, steps)), sentence=_short(fault.message))
    except Unresolvable as error:
        message = f"{given} refers to {error.ref}, which is not in the file: nothing is fetched, put it into one file"
        raise InputError(message) from error


def _short(sentence: str) -> str:
    """A sentence without the whole text of a long field in it."""
    longest = 300
    return sentence if len(sentence) <= longest else f"{sentence[: longest // 2]} … {sentence[-longest // 2 :]}"
