"""Code concerned with what OpenAPI says about answers: their shape in each format, and the problem documents."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from services.api.formats import MEDIA_TYPES, Format
from services.api.problems import MEDIA_TYPE as PROBLEM_TYPE
from services.api.schemas import ProblemDocument

_SCHEMAS: Final[dict[Format, dict[str, Any]]] = {
    Format.CSV: {"type": "string", "description": "RFC 4180, UTF-8, one header row, empty means missing."},
    Format.PARQUET: {"type": "string", "format": "binary", "description": "Units stand in the schema's metadata."},
    Format.GEOJSON: {"type": "object", "description": "An RFC 7946 FeatureCollection."},
}
_PROBLEMS: Final = {
    404: "There is nothing of that name.",
    406: "Not to be had in that format.",
    422: "The request cannot be used as it is.",
    429: "Too many exports at once.",
    503: "The database does not answer, or took too long.",
}


def documented(model: type[BaseModel], *formats: Format) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route whose JSON has the shape of `model`; without `formats` it has them all."""
    others = {
        MEDIA_TYPES[format_]: {"schema": _SCHEMAS[format_]} for format_ in formats or Format if format_ in _SCHEMAS
    }
    answers: dict[int | str, dict[str, Any]] = {200: {"model": model, "description": "The answer.", "content": others}}
    return answers | dict(problems())


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents among a route's `responses`."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {"description": text, "content": {PROBLEM_TYPE: {"schema": schema}}}
        for status, text in _PROBLEMS.items()
        if not statuses or status in statuses
    }
