"""Code concerned with the data protection impact assessment (GDPR Art. 35), filled as far as the platform can know.

Its fields are those of the Model gegevensbeschermingseffectbeoordeling rijksdienst 1.0, which follow Art. 35(7), under the names
of `schemas/dpia.schema.json` of https://standaard.algoritmeregister.org (19 July 2022, read in Algoritmeregister/standard at
ef716a8): 21 attributes, of which it requires all but `personal_data`. Nobody else publishes a schema of such an assessment: the
EDPB's template (version 1.0 of 10 March 2026) is a form for people. Risks, attacks and signatures are our own sections.

How likely and how severe a risk is, whether what remains is acceptable, and the signatures are a person's; nothing stands in for them.
"""

from __future__ import annotations

from typing import Any, Final

from services.governance.documents.document import Document, Shape, Text
from services.governance.documents.domains import DOMAINS
from services.governance.documents.facts import Facts
from services.governance.documents.opening import BY_A_PERSON, setting, statement
from services.governance.documents.record import security_measures
from services.governance.documents.uses import attacks


class Assessment(Shape):
    """The fields of the model, each a text."""

    organization: Text
    department: Text
    introduction: Text
    proposal: Text
    personal_data: Text
    data_processing: Text
    processing_purposes: Text
    involved_parties: Text
    interests: Text
    processing_locations: Text
    techniques_and_methods: Text
    legal_and_policy_framework: Text
    retention_periods: Text
    legal_basis: Text
    sensitive_personal_data: Text
    purpose_limitation: Text
    necessity_and_proportionality: Text
    rights: Text
    risks: Text
    measures: Text
    additions: Text


class Risk(Shape):
    """One risk: what was measured about it, and what a person makes of it."""

    name: Text
    measure: Text
    measured: Text
    likelihood: Text
    severity: Text
    residual_risk: Text


class Attack(Shape):
    """One attack of the last red-team run."""

    name: Text
    control_passed: bool
    advantage: float | None
    limit: float | None
    epsilon_hat: float | None
    passed: bool


class SignOff(Shape):
    """What only people can say."""

    residual_risk_accepted: Text
    prior_consultation: Text
    advice_of_the_data_protection_officer: Text
    name_and_function: Text
    place_and_date: Text
    signature: Text


class ImpactAssessment(Shape):
    """The whole document."""

    assessment: Assessment
    residual_risks: list[Risk]
    red_team: list[Attack]
    sign_off: SignOff


RISKS: Final = (
    (
        "Someone learns from what is published whether, or where, a person was on a day",
        "Bounded contributions, discrete noise, a budget per day that is charged before noise is drawn",
        (
            "trajectory-recovery",
            "membership-likelihood",
            "membership-reference-group",
            "unicity",
            "home-work",
            "sybil-isolation",
            "noise-quality",
        ),
    ),
    (
        "Someone learns more by asking often, in other words, or for overlapping times and zones",
        "Each figure is drawn once and stored; one base partition and tumbling slots",
        ("differencing", "averaging"),
    ),
    (
        "Someone follows a person from day to day",
        "Pseudonyms under a key of one day that is destroyed with the rows",
        ("day-to-day-linkage",),
    ),
    (
        "Someone reads a household's life from its consumption",
        "Only totals of districts are published, with noise",
        ("smart-meter-membership", "appliance-events"),
    ),
    (
        "Someone reads personal rows inside: operators of the database, a stolen copy, a backup",
        "One role, short life of rows, backups without schema personal; operators of the server can read what is not yet destroyed",
        (),
    ),
    (
        "Timing, size or wording of answers tells on a withheld value",
        "Fixed times of release, alike answers for withheld and zero",
        ("side-channels",),
    ),
    (
        "Forecasts remember a person",
        "Models read fixed sensors and published figures only",
        ("membership-forecaster",),
    ),
)
"""Each risk with its measure and the attacks that try it."""


def impact_assessment(facts: Facts) -> Document:
    """The assessment, from the plans that are on, the settings and the last red-team result."""
    return Document(
        kind="dpia",
        title=f"Data protection impact assessment: {facts.settings.city_name}",
        standard="GDPR Art. 35(7), with the fields of the Dutch Model DPIA Rijksdienst 1.0",
        judged_by="the assessment by the attributes of dpia.schema.json of standaard.algoritmeregister.org, as our model has them, and "
        "with `--against FILE` by the downloaded file; risks and signatures by our own model",
        part="assessment",
        made_at=facts.at,
        shape=ImpactAssessment,
        content={
            "assessment": _assessment(facts),
            "residual_risks": [_risk(facts, name, measure, names) for name, measure, names in RISKS],
            "red_team": [_attack(one) for one in _attacks(facts)],
            "sign_off": {
                "residual_risk_accepted": f"{BY_A_PERSON}whether what remains is acceptable, and why",
                "prior_consultation": f"{BY_A_PERSON}whether the authority has to be consulted (Art. 36)",
                "advice_of_the_data_protection_officer": f"{BY_A_PERSON}the advice (Art. 35(2))",
                "name_and_function": f"{BY_A_PERSON}who decides for the controller",
                "place_and_date": f"{BY_A_PERSON}where and when",
                "signature": f"{BY_A_PERSON}signature",
            },
        },
    )


def _assessment(facts: Facts) -> dict[str, Any]:
    settings = facts.settings
    purposes = " ".join(f"{plan.name} {plan.version}: {plan.purpose}" for plan in facts.plans) or "None: no plan is on."
    kept = " ".join(f"{domain.title}: {', '.join(domain.stored.values())}." for domain in DOMAINS)
    measures = " ".join(f"{one['measure']} (`{one['shown_by']}`)." for one in security_measures(facts))
    return {
        "organization": setting(settings, "controller"),
        "department": setting(settings, "department"),
        "introduction": (
            f"This assessment was made at {facts.at:%Y-%m-%d %H:%M} UTC from the running configuration, release plans and last "
            "attack results of the platform. Fields that only people can fill say so."
        ),
        "proposal": (
            f"{settings.city_name} takes in readings of vehicles, household meters, bicycle stations and charging points, keeps them under daily pseudonyms for at "
            f"most {settings.personal_retention_hours} hours, and publishes noisy aggregates of closed days."
        ),
        "personal_data": f"Ordinary personal data, no special categories. {kept}",
        "data_processing": (
            "Receiving over MQTT; pseudonymising and reducing at once; storing; adding up under bounded contributions; adding "
            "noise; publishing; destroying. Nobody decides about a person with it, nobody is profiled."
        ),
        "processing_purposes": purposes,
        "involved_parties": _parties(facts),
        "interests": statement(settings, "interests"),
        "processing_locations": statement(settings, "processing_locations"),
        "techniques_and_methods": (
            f"Differential privacy, at most epsilon {facts.epsilon_day:g} per domain and subject's day; the plans that are on "
            f"spend {_spending(facts)}. No automated decision, no profiling."
        ),
        "legal_and_policy_framework": statement(settings, "legal_framework"),
        "retention_periods": (
            f"Personal rows, their keys and unread messages: {settings.personal_retention_hours} hours. Published aggregates, "
            "ledger and audit log hold no personal data and stay."
        ),
        "legal_basis": setting(settings, "lawful_basis"),
        "sensitive_personal_data": (
            "None is asked for. Where a vehicle was, or when a household used energy, can point to health or belief: this is why "
            "places are reduced to cells, days are not linked, and small counts are withheld."
        ),
        "purpose_limitation": (
            "Each plan states its purpose and is bound by its hash; keys exist per purpose, so rows of two purposes cannot be "
            "joined; nothing but the release job reads a personal row."
        ),
        "necessity_and_proportionality": statement(settings, "proportionality"),
        "rights": (
            "Who shows the secret that a device laid down sees or has erased the rows of the days whose key still exists, two at "
            "most (`arterial privacy access`, `erase`); afterwards nobody can tell whose figures they are (GDPR Art. 11). Who "
            f"objects is left out at the door (`arterial privacy object`). How to ask: {setting(settings, 'objection')}"
        ),
        "risks": f"See the list of residual risks. Measured: {attacks(facts)}",
        "measures": measures,
        "additions": "Model cards, algorithm records and the record of processing are made from the same facts.",
    }


def _parties(facts: Facts) -> str:
    processors = setting(facts.settings, "processors")
    listed = processors if isinstance(processors, str) else ", ".join(processors) or "none"
    return (
        f"Controller: {setting(facts.settings, 'controller')}. Processors: {listed}. Recipients: the public, of aggregates with "
        "differential privacy only."
    )


def _spending(facts: Facts) -> str:
    return ", ".join(f"{plan.name} {facts.epsilon(plan):g}" for plan in facts.plans) or "nothing"


def _attacks(facts: Facts) -> list[dict[str, Any]]:
    return [] if facts.red_team is None else list(facts.red_team.result.get("attacks", []))


def _attack(found: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: found.get(name) for name in ("advantage", "limit", "epsilon_hat")}
    return {"name": found["name"], "control_passed": found["control_passed"], **numbers, "passed": found["passed"]}


def _risk(facts: Facts, name: str, measure: str, names: tuple[str, ...]) -> dict[str, Any]:
    mine = [one for one in _attacks(facts) if one["name"] in names]
    if mine:
        verdicts = ", ".join(f"{one['name']} {'under' if one['passed'] else 'NOT under'} its limit" for one in mine)
        measured = f"{facts.red_team.finished_at:%Y-%m-%d}: {verdicts}" if facts.red_team is not None else verdicts
    else:
        measured = "Not measured by an attack that was run on this database"
    return {
        "name": name,
        "measure": measure,
        "measured": measured,
        "likelihood": f"{BY_A_PERSON}how likely",
        "severity": f"{BY_A_PERSON}how severe for the person",
        "residual_risk": f"{BY_A_PERSON}what remains",
    }
