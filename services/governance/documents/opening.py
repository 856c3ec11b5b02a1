"""Code concerned with what a document cannot know: it says who has to say it, and nothing is made up in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from services.errors import ConfigurationError
from services.settings import PREFIX, Settings

OPEN: Final = "to be filled: "
"""How a field begins that a setting would fill; the setting's name follows."""

_ASKED: Final = re.compile(f"{OPEN}({PREFIX}[A-Z_]+(?:, key [a-z_]+)?)")

BY_A_PERSON: Final = "to be filled by a person: "
"""How a field begins that only a signature on the document itself can fill."""

STATEMENTS: Final = {
    "alternatives_considered": "which other ways to reach the goals were considered, and why they were not taken",
    "decision_making_process": "in which formal process the forecasts and aggregates are used",
    "external_supplier": "who was contracted to build or run the platform, with company number and role, or: none",
    "human_intervention": "who in the organisation may act on, overrule or switch off what the platform says",
    "interests": "which interests the controller and others have in the processing",
    "legal_framework": "which laws and policies besides the GDPR apply",
    "joint_controllers": "who else decides about purposes and means, and how to reach them (GDPR Art. 26), or: none",
    "organisation_type": "what kind of public body it is, in GOV.UK's words such as Local authority, several by commas",
    "previous_process": "how it was done before",
    "procurement_procedure_type": "by which procedure the platform was procured, or: none",
    "processing_locations": "in which countries and at which sites the data is processed",
    "proportionality": "why the use is reasonably necessary and its benefits outweigh the possible harm",
    "region": "the regions whose public is affected, in GOV.UK's words such as North East, several by commas",
    "representative": "the controller's representative in the Union, and how to reach them (GDPR Art. 27), or: none",
    "required_training": "which training the people who use the platform have had",
    "senior_responsible_owner": "role, and name where it is published, of the owner who answers for the use",
}
"""What only the organisation can say, by the key of `ARTERIAL_GOVERNANCE_STATEMENTS`."""


def setting(settings: Settings, name: str) -> Any:
    """The value of setting `governance_<name>` as JSON has it, or who has to give it."""
    value = getattr(settings, f"governance_{name}")
    if value is None or value == "":
        return f"{OPEN}{PREFIX}GOVERNANCE_{name.upper()}"
    return value.isoformat() if isinstance(value, date) else value


def statement(settings: Settings, key: str) -> str:
    """What the organisation says under `key`, or that it has to.

    Raises:
        KeyError: no document asks that.

    """
    asked = STATEMENTS[key]
    said = settings.governance_statements.get(key, "").strip()
    return said or f"{OPEN}{PREFIX}GOVERNANCE_STATEMENTS, key {key}: {asked}"


def require_known_statements(settings: Settings) -> None:
    """Refuse statements that no document would show.

    Raises:
        ConfigurationError: with the keys that are unknown and those there are.

    """
    unknown = sorted(set(settings.governance_statements) - set(STATEMENTS))
    if unknown:
        message = f"{PREFIX}GOVERNANCE_STATEMENTS: no document asks {', '.join(unknown)}; the keys are {', '.join(STATEMENTS)}"
        raise ConfigurationError(message)


def asked_by(value: object) -> list[str]:
    """The settings that a field, or a part of its text, still waits for."""
    return list(dict.fromkeys(_ASKED.findall(value))) if isinstance(value, str) else []


def leaves(content: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every single value of a document with its place, such as `records.0.contact_email`."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from leaves(value, f"{path}.{name}" if path else str(name))
    elif isinstance(content, Sequence) and not isinstance(content, str | bytes):
        for place, value in enumerate(content):
            yield from leaves(value, f"{path}.{place}")
    else:
        yield path, content
