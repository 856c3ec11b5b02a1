"""Code concerned with the settings of governance: what only the organisation that runs this can say."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GovernanceSettings(BaseModel):
    """What documents say in the name of the organisation."""

    model_config = ConfigDict(frozen=True)

    governance_controller: str | None = Field(
        default=None, description="The organisation that answers for the processing (the controller of GDPR Art. 4(7))."
    )
    governance_address: str | None = Field(default=None, description="Its postal address, on one line.")
    governance_department: str | None = Field(
        default=None, description="The department or team that uses the platform."
    )
    governance_contact_email: str | None = Field(
        default=None,
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        description="The e-mail address for questions about data and algorithms.",
    )
    governance_data_protection_officer: str | None = Field(
        default=None, description="How to reach the data protection officer."
    )
    governance_lawful_basis: str | None = Field(
        default=None, description="The lawful basis of the processing: article and law."
    )
    governance_transfers: str | None = Field(
        default=None, description="Transfers of personal data to third countries and their safeguards, or: none."
    )
    governance_processors: tuple[str, ...] | None = Field(
        default=None,
        description="Who else processes personal data on the organisation's behalf, such as a host, as a JSON list; [] where "
        "nobody does.",
    )
    governance_objection: str | None = Field(
        default=None, description="How people can object to the use of the algorithms or to what comes out of them."
    )
    governance_status: (
        Literal["planned", "design", "development", "pilot", "evaluation", "operational", "retired"] | None
    ) = Field(default=None, description="How far the use of the platform is, for the algorithm registers.")
    governance_published_on: date | None = Field(
        default=None, description="When the algorithm records were first published: 2026-11-22."
    )
    governance_revise_by: date | None = Field(
        default=None, description="By when the algorithm records are looked at again: 2027-11-22."
    )
    governance_safety_component: bool = Field(
        default=False,
        description="Whether anything here controls traffic signals or switches supply, or keeps such a control safe; it "
        "then is a high-risk AI system of Annex III(2) of the AI Act and needs what the form lists.",
    )
    governance_income_groups: Path | None = Field(
        default=None,
        description="A CSV file with the columns district and income_group, by which the fairness audit groups districts too.",
    )
    governance_statements: dict[str, str] = Field(
        default={},
        description="Everything else that documents ask the organisation, by the key they name, as a JSON object: "
        '{"previous_process": "Counts by hand, twice a year."}.',
    )
