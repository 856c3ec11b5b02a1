"""Code concerned with the record of processing activities, as GDPR Art. 30(1) asks it: one activity per domain.

Art. 30 names its contents and no form. Authorities publish templates as tables for people; a schema that a program could check
by is published by none (DPCat, https://w3id.org/dpcat, is a proposal for a catalogue in RDF). So the model here is the article,
letter by letter.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ingest.decoders.catalogue import DIALECTS
from services.governance.documents.document import Document, Shape, Text
from services.governance.documents.domains import DOMAINS, PersonalDomain
from services.governance.documents.facts import Facts
from services.governance.documents.opening import setting, statement
from services.privacy.days import LONGEST_RETENTION


class Controller(Shape):
    """Art. 30(1)(a), with joint controllers and the representative where there are such."""

    name: Text
    address: Text
    contact_email: Text
    department: Text
    data_protection_officer: Text
    joint_controllers: Text
    representative: Text


class Measure(Shape):
    """Art. 30(1)(g): a measure, and the command that shows it."""

    measure: Text
    shown_by: Text


class Release(Shape):
    """One release plan, under which something leaves the processing."""

    plan: Text
    version: Text
    plan_hash: Text
    purpose: Text
    subject: Text
    epsilon_per_day: float
    delta: float


class Activity(Shape):
    """One processing activity, Art. 30(1)(b) to (g)."""

    name: Text
    purposes: list[Text]
    lawful_basis: Text
    data_subjects: Text
    personal_data: dict[str, Text]
    sources: list[Text]
    minimisation: Text
    recipients: list[Text]
    processors: list[Text] | Text
    third_country_transfers: Text
    time_limits: dict[str, Text]
    security_measures: list[Measure]
    releases: list[Release]


class RecordOfProcessing(Shape):
    """The whole record."""

    city: Text
    controller: Controller
    activities: list[Activity]
    not_personal: dict[str, int]


def record_of_processing(facts: Facts) -> Document:
    """The record, from the plans that are on and the settings as they are."""
    return Document(
        kind="record",
        title=f"Record of processing activities: {facts.settings.city_name}",
        standard="GDPR Art. 30(1)",
        judged_by="our own model of Art. 30(1)(a) to (g), of which no authority publishes a schema",
        made_at=facts.at,
        shape=RecordOfProcessing,
        content={
            "city": facts.settings.city_name,
            "controller": controller(facts),
            "activities": [*(_activity(facts, domain) for domain in DOMAINS), _requests(facts)],
            "not_personal": facts.sensors,
        },
    )


def controller(facts: Facts) -> dict[str, Any]:
    """Who answers for the processing."""
    names = ("address", "contact_email", "department", "data_protection_officer")
    others = ("joint_controllers", "representative")
    return (
        {"name": setting(facts.settings, "controller")}
        | {name: setting(facts.settings, name) for name in names}
        | {name: statement(facts.settings, name) for name in others}
    )


def security_measures(facts: Facts) -> list[dict[str, str]]:
    """Technical and organisational measures, each with what shows it."""
    cap = f"at most epsilon {facts.epsilon_day:g} per domain and subject's day, charged before noise is drawn"
    measures = {
        "Pseudonyms by HMAC-SHA256 under a key of one purpose and one local day, which is destroyed": "arterial audit verify",
        "Only the database role arterial_release reads a personal row": "pytest tests/integration/privacy/test_roles.py",
        f"Only aggregates with differential privacy leave: {cap}": "arterial privacy ledger",
        "What was released, denied, destroyed and configured stands in a hash chain": "arterial audit verify",
        "Attacks on our own releases, each with a control on unprotected data": "arterial privacy attack",
        "No code that reads for API, pages, models or exports imports personal storage": "make check",
    }
    return [{"measure": measure, "shown_by": command} for measure, command in measures.items()]


def _activity(facts: Facts, domain: PersonalDomain) -> dict[str, Any]:
    settings = facts.settings
    plans = facts.plans_of(domain.name)
    return {
        "name": domain.title,
        "purposes": [plan.purpose for plan in plans]
        or ["None: no release plan of this domain is on, nothing is published"],
        "lawful_basis": setting(settings, "lawful_basis"),
        "data_subjects": domain.data_subjects,
        "personal_data": domain.stored
        | {"claim": "where a device laid one down: the SHA-256 of a secret that it keeps"},
        "sources": _sources(domain),
        "minimisation": domain.dropped,
        "recipients": [
            "The public: only what was released with differential privacy",
            "Nobody else: there is no query, export or model that reads a personal row",
        ],
        "processors": setting(settings, "processors"),
        "third_country_transfers": setting(settings, "transfers"),
        "time_limits": {
            "personal_rows": f"At most {settings.personal_retention_hours} hours, never 48",
            "pseudonym_keys": "Destroyed with the rows of their day; a day whose key was destroyed never gets one again",
            "claims": "With the rows of their day",
            "unread_messages": "48 hours after receipt",
            "newest_proof": _proof(facts, domain),
        },
        "security_measures": security_measures(facts),
        "releases": [
            {
                "plan": plan.name,
                "version": plan.version,
                "plan_hash": plan.hash,
                "purpose": plan.purpose,
                "subject": plan.subject,
                "epsilon_per_day": facts.epsilon(plan),
                "delta": float(plan.delta),
            }
            for plan in plans
        ],
    }


def _requests(facts: Facts) -> dict[str, Any]:
    """What people ask for, as a processing of its own."""
    settings = facts.settings
    return {
        "name": "Requests and objections",
        "purposes": ["Answer who asks for access or erasure, and leave out who objects (GDPR Art. 15, 17, 21)"],
        "lawful_basis": "GDPR Art. 6(1)(c), with Art. 12 to 21",
        "data_subjects": "People who object",
        "personal_data": {
            "purpose": "the domain that is objected to",
            "fingerprint": "HMAC-SHA256 of the device's name under a key outside of the database",
            "objected_on": "the day",
        },
        "sources": ["The people themselves (`arterial privacy object`)"],
        "minimisation": "No name, no account, no address: without the key nobody can be found in it.",
        "recipients": ["Nobody: ingest asks it about each reading, and drops what was objected to"],
        "processors": setting(settings, "processors"),
        "third_country_transfers": setting(settings, "transfers"),
        "time_limits": {
            "objections": "Until they are withdrawn",
            "requests": "Only in the audit log, without who asked",
        },
        "security_measures": security_measures(facts),
        "releases": [],
    }


def _sources(domain: PersonalDomain) -> list[str]:
    native = f"MQTT topic city/v1/{domain.kind}/…, in Arterial's own form"
    others = [f"Dialect {name}: {DIALECTS[name].description}" for name in domain.dialects]
    return [native, *others]


def _proof(facts: Facts, domain: PersonalDomain) -> str:
    mine = [proof for proof in facts.destructions if proof.purpose == domain.name]
    if not mine:
        hours = LONGEST_RETENTION // timedelta(hours=1)
        return f"Nothing destroyed yet: the first day is destroyed within {hours} hours of its beginning"
    return f"{mine[0].day} and all days before it, destroyed at {mine[0].destroyed_at:%Y-%m-%d %H:%M} UTC"
