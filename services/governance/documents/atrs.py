"""Code concerned with the UK's Algorithmic Transparency Recording Standard (ATRS): one record per use, tiers 1 and 2.

Attributes are those of the template of version 3.0 (guidance of 8 May 2025), by their names, in the order of their numbers; what
the service that publishes records gives out (id, date archived) is left to it. The template is a spreadsheet: nobody publishes a
schema of its tiers, so these are judged by our own model of it. The metadata has a schema at GOV.UK and stands a second time in its
form (`govuk.py`). GOV.UK shows records of a version 4.0 since October 2025; records here are of 3.0 and say so.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from services.governance.documents.document import Document, Shape, Text
from services.governance.documents.facts import Facts
from services.governance.documents.govuk import Publication, phase, publication
from services.governance.documents.opening import setting, statement
from services.governance.documents.uses import USES, Use, attacks, fairness, methods, performance, risks, training_data

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Metadata(Shape):
    """0.2 to 0.15."""

    standard_version: Literal["3.0"]
    organisation_type: Text
    function: Text
    capability: Text
    task: Text
    tags: Text
    date_of_completion: date
    date_updated: date
    title: Text
    organisation_name: Text
    phase: Text
    region: Text
    one_sentence_description: Text


class Tier1(Shape):
    """1.1 to 1.4."""

    name: Text
    description: Text
    website_url: Text
    contact_email: Email


class Owner(Shape):
    """2.1."""

    organisation_or_department: Text
    team: Text
    senior_responsible_owner: Text
    external_supplier_involvement: Text
    procurement_procedure_type: Text
    data_access_terms: Text


class Rationale(Shape):
    """2.2."""

    detailed_description: Text
    scope: Text
    benefit: Text
    previous_process: Text
    alternatives_considered: Text


class DecisionMaking(Shape):
    """2.3."""

    process_integration: Text
    provided_information: Text
    frequency_and_scale_of_usage: Text
    human_decisions_and_review: Text
    required_training: Text
    appeals_and_review: Text


class Tool(Shape):
    """2.4.1."""

    system_architecture: Text
    phase: Text
    maintenance: Text
    models: Text


class Model(Shape):
    """2.4.2."""

    model_name: Text
    model_version: Text
    model_task: Text
    model_input: Text
    model_output: Text
    model_architecture: Text
    model_performance: Text
    datasets: Text
    dataset_purposes: Text


class Data(Shape):
    """2.4.3."""

    source_data_name: Text
    data_modality: Text
    data_description: Text
    data_quantities: Text
    sensitive_attributes: Text
    data_completeness_and_representativeness: Text
    source_data_url: Text
    data_collection: Text
    data_cleaning: Text
    data_sharing_agreements: Text
    data_access_and_storage: Text


class Risks(Shape):
    """2.5."""

    impact_assessment: Text
    risks_and_mitigations: Text


class Tier2(Shape):
    """2.1 to 2.5."""

    owner_and_responsibility: Owner
    description_and_rationale: Rationale
    decision_making_process: DecisionMaking
    tool_specification: Tool
    model_specification: Model
    data_specification: Data
    risks_mitigations_and_impact_assessments: Risks


class Record(Shape):
    """One record; `publication` is its metadata as GOV.UK takes it."""

    metadata: Metadata
    publication: Publication
    tier_1: Tier1
    tier_2: Tier2


class Records(Shape):
    """All records of the city."""

    records: list[Record]


def british_records(facts: Facts) -> Document:
    """One record per use."""
    return Document(
        kind="register-uk",
        title=f"Algorithmic transparency records: {facts.settings.city_name}",
        standard="Algorithmic Transparency Recording Standard 3.0, tiers 1 and 2",
        judged_by="our own model of the template 3.0, of whose tiers nobody publishes a schema; the metadata by GOV.UK's names and "
        "choices, and with `--against FILE` by its downloaded schema",
        part="records.*.publication",
        made_at=facts.at,
        shape=Records,
        content={"records": [_record(facts, use) for use in USES]},
    )


def _record(facts: Facts, use: Use) -> dict[str, Any]:
    metadata = _metadata(facts, use)
    return {
        "metadata": metadata,
        "publication": publication(metadata),
        "tier_1": {
            "name": use.title,
            "description": f"{use.summary} {use.goal}",
            "website_url": f"{facts.settings.public_url.rstrip('/')}/privacy" if facts.settings.public_url else "none",
            "contact_email": setting(facts.settings, "contact_email"),
        },
        "tier_2": {
            "owner_and_responsibility": _owner(facts),
            "description_and_rationale": {
                "detailed_description": use.how,
                "scope": f"{use.goal} It is not made to decide about a person, to control signals or to switch supply.",
                "benefit": use.goal,
                "previous_process": statement(facts.settings, "previous_process"),
                "alternatives_considered": statement(facts.settings, "alternatives_considered"),
            },
            "decision_making_process": _decisions(facts, use),
            "tool_specification": {
                "system_architecture": "One PostgreSQL database, an MQTT broker and processes that ingest, forecast, release and "
                "serve; ARCHITECTURE.md of the project has the picture.",
                "phase": phase(setting(facts.settings, "status")),
                "maintenance": "Scores are added every hour and models are learnt anew every night; attacks and fairness audits "
                f"are dated: {attacks(facts)} {fairness(facts)}",
                "models": methods(facts, use),
            },
            "model_specification": _model(facts, use),
            "data_specification": _data(facts, use),
            "risks_mitigations_and_impact_assessments": {
                "impact_assessment": "Data protection impact assessment (GDPR Art. 35): `arterial governance dpia`.",
                "risks_and_mitigations": risks(facts, use),
            },
        },
    }


def _metadata(facts: Facts, use: Use) -> dict[str, Any]:
    settings = facts.settings
    return {
        "standard_version": "3.0",
        "organisation_type": statement(settings, "organisation_type"),
        "function": "Economic affairs" if use.kind else "General public services",
        "capability": "Forecasting" if use.kind else "Analysis",
        "task": use.title,
        "tags": ", ".join([use.nature, use.learning, use.kind or "differential privacy"]),
        "date_of_completion": setting(settings, "published_on"),
        "date_updated": facts.changed_on.isoformat(),
        "title": use.title,
        "organisation_name": setting(settings, "controller"),
        "phase": phase(setting(settings, "status")),
        "region": statement(settings, "region"),
        "one_sentence_description": use.summary,
    }


def _owner(facts: Facts) -> dict[str, Any]:
    settings = facts.settings
    return {
        "organisation_or_department": setting(settings, "controller"),
        "team": setting(settings, "department"),
        "senior_responsible_owner": statement(settings, "senior_responsible_owner"),
        "external_supplier_involvement": statement(settings, "external_supplier"),
        "procurement_procedure_type": statement(settings, "procurement_procedure_type"),
        "data_access_terms": "No supplier has access by the software itself; whoever runs the servers can reach them.",
    }


def _decisions(facts: Facts, use: Use) -> dict[str, Any]:
    settings = facts.settings
    shown = (
        "Quantiles of each quantity and time with the state of the forecast, beside the scorecard."
        if use.kind
        else "Noisy, rounded figures with their 95 % interval, epsilon, threshold and plan version; what is withheld says so."
    )
    often = (
        f"Every {settings.forecast_every_minutes} minutes for {facts.sensors.get(use.kind or '', 0)} sensors."
        if use.kind
        else f"Once for each local day; {len(facts.releases)} releases in the last year."
    )
    return {
        "process_integration": statement(settings, "decision_making_process"),
        "provided_information": shown,
        "frequency_and_scale_of_usage": often,
        "human_decisions_and_review": statement(settings, "human_intervention"),
        "required_training": statement(settings, "required_training"),
        "appeals_and_review": setting(settings, "objection"),
    }


def _model(facts: Facts, use: Use) -> dict[str, Any]:
    versions = ", ".join(f"{plan.name} {plan.version} ({plan.hash[:12]})" for plan in facts.plans)
    return {
        "model_name": use.title,
        "model_version": versions or "no plan is on" if use.kind is None else "learnt anew every night",
        "model_task": use.summary,
        "model_input": use.source_data,
        "model_output": "Seven quantiles per sensor and time." if use.kind else "Noisy totals on a public grid.",
        "model_architecture": methods(facts, use),
        "model_performance": performance(facts, use),
        "datasets": training_data(facts, use),
        "dataset_purposes": "Learning and selection before the issue time, scoring after it."
        if use.kind
        else "None: nothing is learnt.",
    }


def _data(facts: Facts, use: Use) -> dict[str, Any]:
    hours = facts.settings.personal_retention_hours
    personal = use.kind is None
    return {
        "source_data_name": "Readings of vehicles and household meters"
        if personal
        else f"Readings of {use.kind} sensors",
        "data_modality": "Time series",
        "data_description": use.source_data,
        "data_quantities": training_data(facts, use),
        "sensitive_attributes": (
            "Pseudonyms of one day, cells, times and energy; no name, no coordinate" if personal else "None"
        ),
        "data_completeness_and_representativeness": (
            "Only what reports is counted; sparse districts are withheld more often, as the fairness audit shows."
            if personal
            else "Only where sensors stand; missing and bad readings are flagged and never filled in silence."
        ),
        "source_data_url": "none"
        if personal or not facts.settings.public_url
        else f"{facts.settings.public_url}/api/v1/observations",
        "data_collection": "Devices publish over MQTT for the purposes of the release plans."
        if personal
        else "Devices publish over MQTT.",
        "data_cleaning": "Duplicates are stored once; each subject's contribution is bounded."
        if personal
        else "Quality flags; nothing is deleted.",
        "data_sharing_agreements": "None: no personal row is shared." if personal else "None needed: the data is open.",
        "data_access_and_storage": (
            f"Only the release job; destroyed within {hours} hours together with the key of the day."
            if personal
            else "Everybody may read; kept by the city."
        ),
    }
