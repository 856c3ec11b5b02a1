"""Code concerned with the Dutch Algoritmeregister: one registration per use, in the fields of the standard 0.3.1.

Source: `schemas/registration-v0.3.1.schema.json` of https://standaard.algoritmeregister.org, a draft of 19 January 2023, read
in its repository Algoritmeregister/standard at ef716a8 (21 November 2023): 49 attributes, 29 of them required. `Registration`
has all of them under their names, with their types, choices and requirements. The lengths stand there in words only, in the
descriptions of `description_short` and `description`; this model holds to them.

The national register, algoritmes.overheid.nl, used the number 0.3.1 for a list of its own (MinBZK/Algoritmeregister, 2023), with
other names and Dutch choices, and takes 1.0 in Dutch today. Registrations in this form are not for its interface.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import StringConstraints

from services.governance.documents.ai_act import classify
from services.governance.documents.document import Document, Shape, Text
from services.governance.documents.facts import Facts
from services.governance.documents.opening import setting, statement
from services.governance.documents.uses import USES, Use, methods, performance, risks, training_data

Domain = Literal[
    "taxes",
    "housing, living and living environment",
    "culture, sports and leisure",
    "defence",
    "economy and entrepreneurship",
    "family, youth and households",
    "finance",
    "generic",
    "health and health care",
    "immigration and integration",
    "international collaboration and development aid",
    "agriculture, nature and food",
    "environment, spacial planning and water",
    "education and science",
    "public safety",
    "government",
    "justice",
    "travel, living and working abroad",
    "subsidies, benefits and allowances",
    "traffic and transportation",
    "work and career",
]
Status = Literal["planned", "design", "development", "pilot", "evaluation", "operational", "retired"]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://")]
Language = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=150)]
Long = Annotated[str, StringConstraints(min_length=500, max_length=10_000)]

_RISK_CATEGORY: Final = {"high risk": "high risk", "not high risk": "minimal risk", "not an AI system": "minimal risk"}


class Registration(Shape):
    """One registration; fields without a default are those that the standard requires."""

    name: Text
    description_short: Short
    organization: Text
    department: Text
    contact_email: Email
    contact_phone: Text | None = None
    contact_name: Text | None = None
    area: Text
    domain: Domain
    website: Address | None = None
    status: Status
    remark: Text | None = None
    decision_making_process: Text
    goal: Text
    impact: Text
    risks: Text
    risk_category: Literal["minimal risk", "limited risk", "high risk", "unacceptable"]
    proportionality: Text
    lawful_basis: Text
    documentation: Address | None = None
    training_data: Text
    source_data: Text
    data_bias: Text | None = None
    connected_data_sources: Text
    DPIA_description: Text | None = None
    DPIA_url: Address | None = None
    algorithm_type: Literal["self-learning", "rule-based", "hybrid"]
    description: Long
    methods_and_models: Text | None = None
    performance: Text | None = None
    alternatives_considered: Text | None = None
    product_information: Address | None = None
    codebase_url: Address | None = None
    product_page: Address | None = None
    AIA_description: Text | None = None
    AIA_url: Address | None = None
    monitoring: Text
    type: Literal["descriptive", "diagnostic", "predictive", "prescriptive"]
    human_intervention: Text
    objection_procedure: Text
    rollback: Text | None = None
    standard_version: Literal["0.3.1"]
    uuid: UUID | None = None
    lang: Language
    publication_date: date
    last_change_date: date
    revision_date: date
    revision_note: Text | None = None
    keywords: Text | None = None


class Register(Shape):
    """All registrations of the city."""

    registrations: list[Registration]


def dutch_register(facts: Facts) -> Document:
    """One registration per use."""
    return Document(
        kind="register-nl",
        title=f"Algorithm register: {facts.settings.city_name}",
        standard="Algoritmeregister, publication standard 0.3.1",
        judged_by="the 49 attributes of registration-v0.3.1.schema.json of standaard.algoritmeregister.org, as our model has "
        "them; `--against FILE` judges by the downloaded file itself",
        part="registrations.*",
        made_at=facts.at,
        shape=Register,
        content={"registrations": [_registration(facts, use) for use in USES]},
    )


def _registration(facts: Facts, use: Use) -> dict[str, Any]:
    settings = facts.settings
    site = settings.public_url and settings.public_url.rstrip("/")
    addresses = {"website": f"{site}/privacy", "documentation": f"{site}/docs"} if site else {}
    published = setting(settings, "published_on")
    return {
        "name": use.title,
        "description_short": use.summary,
        "organization": setting(settings, "controller"),
        "department": setting(settings, "department"),
        "contact_email": setting(settings, "contact_email"),
        "area": settings.city_name,
        "domain": use.domain,
        **addresses,
        "status": setting(settings, "status"),
        "decision_making_process": statement(settings, "decision_making_process"),
        "goal": use.goal,
        "impact": use.impact,
        "risks": risks(facts, use),
        "risk_category": _RISK_CATEGORY[classify(facts, use)],
        "proportionality": statement(settings, "proportionality"),
        "lawful_basis": setting(settings, "lawful_basis"),
        "training_data": training_data(facts, use),
        "source_data": use.source_data,
        "data_bias": (
            "Places without sensors are not seen, and sparse districts are withheld more often; the fairness audit compares "
            "errors, intervals and withheld values by district and income group."
        ),
        "connected_data_sources": "None: no register of persons and no other source is connected.",
        "DPIA_description": "Made from the same facts by `arterial governance dpia`; signed by people.",
        "algorithm_type": use.learning,
        "description": use.how,
        "methods_and_models": methods(facts, use),
        "performance": performance(facts, use),
        "alternatives_considered": statement(settings, "alternatives_considered"),
        "monitoring": _monitoring(use),
        "type": use.nature,
        "human_intervention": statement(settings, "human_intervention"),
        "objection_procedure": setting(settings, "objection"),
        "rollback": _rollback(use),
        "standard_version": "0.3.1",
        "uuid": str(uuid5(NAMESPACE_URL, f"{site or settings.city_name}/{use.name}")),
        "lang": "en",
        "publication_date": published,
        "last_change_date": facts.changed_on.isoformat(),
        "revision_date": setting(settings, "revise_by"),
        "keywords": ", ".join([use.nature, use.learning, *([use.kind] if use.kind else ["differential privacy"])]),
    }


def _monitoring(use: Use) -> str:
    if use.kind is None:
        return (
            "Every release is charged to a public ledger and checked by a second accountant at night; the attack suite and the "
            "fairness audit are run again after changes, and their last results are public."
        )
    return (
        "Every forecast is scored once its time has passed, beside the value of a week before; the scorecard is public, and each "
        "forecast says when it is degraded or stale."
    )


def _rollback(use: Use) -> str:
    if use.kind is None:
        return "A plan can be switched off at once; what was published stays published, and its budget stays spent."
    return "Forecasting can be switched off at once; nothing acts on it by itself."
