"""Code concerned with what a governance document is: content, the shape it has to have, and what is still wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from services.governance.documents.opening import BY_A_PERSON, asked_by, leaves

Text = Annotated[str, StringConstraints(min_length=1)]


class Shape(BaseModel):
    """The fields of a document, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a document is not complete: where, and what is missing or wrong."""

    field: str
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One document.

    Attributes:
        kind: its name on the command line and in addresses.
        title: for people.
        standard: what it is made after.
        judged_by: what `problems` rest on, and whether anybody publishes a schema of it.
        part: where the parts are that a published schema would be about, as `schema_file` has it; empty for all of it.
        made_at: when it was made from configuration and database.
        content: its fields, JSON.
        shape: what the fields have to be.

    """

    kind: str
    title: str
    standard: str
    judged_by: str
    part: str = ""
    made_at: datetime
    content: Mapping[str, Any]
    shape: type[Shape]

    @property
    def problems(self) -> list[Problem]:
        """What is missing or not as the standard has it, field by field."""
        asked = ((path, asked_by(value)) for path, value in leaves(self.content))
        found = {path: f"not set: {' and '.join(names)}" for path, names in asked if names}
        try:
            self.shape.model_validate(self.content)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_context=False):
                found.setdefault(".".join(str(part) for part in fault["loc"]), fault["msg"])
        return [Problem(field=field, sentence=sentence) for field, sentence in found.items()]

    @property
    def to_sign(self) -> list[str]:
        """The fields that a person fills on the document itself."""
        return [
            path for path, value in leaves(self.content) if isinstance(value, str) and value.startswith(BY_A_PERSON)
        ]

    def as_json(self) -> dict[str, Any]:
        """The document for a program."""
        problems = self.problems
        return {
            "kind": self.kind,
            "title": self.title,
            "standard": self.standard,
            "judged_by": self.judged_by,
            "made_at": self.made_at,
            "complete": not problems,
            "problems": [{"field": problem.field, "sentence": problem.sentence} for problem in problems],
            "to_sign": self.to_sign,
            "content": self.content,
        }
