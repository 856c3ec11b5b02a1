"""Code concerned with the metadata under which GOV.UK publishes an algorithmic transparency record.

This is the one part of the ATRS with a published machine-readable form. Names and types: definition
`algorithmic_transparency_record_metadata` of `content_schemas/dist/formats/specialist_document/publisher_v2/schema.json` in
alphagov/publishing-api (64d2c15, 21 August 2026), a JSON Schema of draft 4. What is required and may be chosen:
`lib/documents/schemas/algorithmic_transparency_records.json` in alphagov/specialist-publisher (a980188, the same day). The list
of organisations there grows with each new one; an organisation's word is its name in lower case with hyphens.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from services.governance.documents.document import Shape, Text
from services.governance.documents.opening import asked_by

Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
OrganisationType = Literal[
    "ministerial-department",
    "non-ministerial-department",
    "agency-or-public-body",
    "local-authority",
    "devolved-administration",
    "high-profile-group",
    "public-corporation",
]
Function = Literal[
    "general-public-services",
    "defence",
    "public-order-and-safety",
    "economic-affairs",
    "environmental-protection",
    "housing-and-community-amenities",
    "health",
    "recreation-culture-and-religion",
    "education",
    "social-protection",
    "regulation",
]
Capability = Literal[
    "computer-vision",
    "computer-audition",
    "computer-linguistics",
    "robotics",
    "forecasting",
    "discovery",
    "planning",
    "creation",
    "analysis",
    "management",
    "other",
]
Phase = Literal["pre-deployment", "beta-pilot", "private-beta", "public-beta", "production", "retired"]
Region = Literal[
    "international",
    "uk",
    "great-britain",
    "england-and-wales",
    "northern-ireland",
    "scotland",
    "wales",
    "england",
    "london",
    "north-east",
    "north-west",
    "yorkshire-and-the-humber",
    "east-midlands",
    "west-midlands",
    "south-east",
    "east-of-england",
    "south-west",
]

_PHASES: Final = {
    "planned": "Pre-deployment",
    "design": "Pre-deployment",
    "development": "Pre-deployment",
    "pilot": "Beta/Pilot",
    "evaluation": "Beta/Pilot",
    "operational": "Production",
    "retired": "Retired",
}


class Publication(Shape):
    """The metadata of one record; fields without a default are those that GOV.UK requires."""

    algorithmic_transparency_record_organisation: Word
    algorithmic_transparency_record_organisation_type: Annotated[list[OrganisationType], Field(min_length=1)]
    algorithmic_transparency_record_function: tuple[Function, ...] = ()
    algorithmic_transparency_record_capability: tuple[Capability, ...] = ()
    algorithmic_transparency_record_task: Text | None = None
    algorithmic_transparency_record_phase: Phase
    algorithmic_transparency_record_region: tuple[Region, ...] = ()
    algorithmic_transparency_record_date_published: date
    algorithmic_transparency_record_atrs_version: Text
    algorithmic_transparency_record_other_tags: Text | None = None


def phase(status: str) -> str:
    """How far a use is, in GOV.UK's words; a status that nobody has said stays what it is."""
    return _PHASES.get(status, status)


def publication(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a record in the form in which GOV.UK takes it; what is still open stays open.

    Args:
        metadata: the metadata section of the record, in words for people; several words of one field by commas.

    """
    named = {
        "organisation": _word(metadata["organisation_name"]),
        "organisation_type": _words(metadata["organisation_type"]),
        "function": _words(metadata["function"]),
        "capability": _words(metadata["capability"]),
        "task": metadata["task"],
        "phase": _word(metadata["phase"]),
        "region": _words(metadata["region"]),
        "date_published": metadata["date_of_completion"],
        "atrs_version": f"v{metadata['standard_version']}",
        "other_tags": metadata["tags"],
    }
    return {f"algorithmic_transparency_record_{name}": value for name, value in named.items()}


def _words(text: str) -> list[str]:
    return [text] if asked_by(text) else [_word(one) for one in text.split(",")]


def _word(text: str) -> str:
    """`Agency or public body` as `agency-or-public-body`."""
    if asked_by(text):
        return text
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’]", "", text.lower())).strip("-")
