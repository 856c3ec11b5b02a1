"""Code concerned with the AI Act: whether a use is a high-risk system of Annex III(2), why, and what it then needs.

The form gives the grounds that the platform can know; the classification is a person's, who signs it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from services.governance.documents.document import Document, Shape, Text
from services.governance.documents.facts import Facts
from services.governance.documents.opening import BY_A_PERSON, setting, statement
from services.governance.documents.uses import USES, Use

Class = Literal["high risk", "not high risk", "not an AI system"]

LOGS_MONTHS: Final = 6


class Artefact(Shape):
    """What an article asks, whether it is there, and where."""

    article: Text
    asks: Text
    required: bool
    evidence: Text


class Classification(Shape):
    """One use."""

    name: Text
    title: Text
    classification: Class
    annex_iii_area: Text
    safety_component: bool
    rationale: list[Text]
    artefacts: list[Artefact]


class SignOff(Shape):
    """Who decided."""

    decision: Text
    name_and_function: Text
    date: Text


class AiActForm(Shape):
    """The form for all uses."""

    provider_or_deployer: Text
    human_oversight: Text
    applies_from: Text
    uses: list[Classification]
    sign_off: SignOff


def classify(facts: Facts, use: Use) -> Class:
    """The class that the grounds suggest."""
    if use.learning == "rule-based":
        return "not an AI system"
    return "high risk" if facts.settings.governance_safety_component else "not high risk"


def ai_act_form(facts: Facts) -> Document:
    """The form, with the artefacts of Art. 9 to 15 and 49 required once the platform is a safety component."""
    return Document(
        kind="ai-act",
        title=f"AI Act classification: {facts.settings.city_name}",
        standard="Regulation (EU) 2024/1689, Art. 6 and Annex III(2)",
        judged_by="our own model of the articles named, of which nobody publishes a schema",
        made_at=facts.at,
        shape=AiActForm,
        content={
            "provider_or_deployer": setting(facts.settings, "controller"),
            "human_oversight": statement(facts.settings, "human_intervention"),
            "applies_from": "High-risk systems of Annex III: 2 December 2027, systems that public authorities already use: "
            "2 August 2030. Dates were moved before: check them when signing.",
            "uses": [_classification(facts, use) for use in USES],
            "sign_off": {
                "decision": f"{BY_A_PERSON}the classification of each use",
                "name_and_function": f"{BY_A_PERSON}who decided",
                "date": f"{BY_A_PERSON}when",
            },
        },
    )


def _classification(facts: Facts, use: Use) -> dict[str, Any]:
    found = classify(facts, use)
    return {
        "name": use.name,
        "title": use.title,
        "classification": found,
        "annex_iii_area": use.annex_iii,
        "safety_component": facts.settings.governance_safety_component and found == "high risk",
        "rationale": _rationale(found, use),
        "artefacts": _artefacts(facts, required=found == "high risk"),
    }


def _rationale(found: Class, use: Use) -> list[str]:
    if found == "not an AI system":
        return [
            "Art. 3(1): fixed rules written by people; nothing is inferred or learnt from data.",
            "Listed all the same because it processes personal data.",
        ]
    area = f"Annex III(2) names safety components in the management and operation of {use.annex_iii}."
    if found == "high risk":
        return [
            area,
            "ARTERIAL_GOVERNANCE_SAFETY_COMPONENT says that this use is one, or part of one.",
            "Art. 6(3) does not exempt it: it materially influences the outcome of an operation.",
        ]
    return [
        area,
        "This use controls no signal and switches no supply: its results go to a database, pages and an API for reading.",
        "Art. 6(2) therefore does not make it high-risk (ARTERIAL_GOVERNANCE_SAFETY_COMPONENT is false).",
        "Set it as soon as a control acts on the results without a person in between.",
        "Forecasts are labelled as such wherever they are shown; no individual decision is taken (GDPR Art. 22).",
    ]


def _artefacts(facts: Facts, *, required: bool) -> list[dict[str, Any]]:
    red_team = (
        "none yet: run `arterial privacy attack`"
        if facts.red_team is None
        else f"red team of {facts.red_team.finished_at:%Y-%m-%d}"
    )
    audit = "none yet" if facts.fairness is None else f"fairness audit of {facts.fairness.audited_at:%Y-%m-%d}"
    scored = f"{len(facts.scores)} rows of the scorecard by model" if facts.scores else "no scores of the last week"
    rows = (
        ("Art. 9", "Risk management over the life cycle", f"`arterial governance dpia`; {red_team}"),
        ("Art. 10", "Data governance, examination for biases", f"quality flags of every reading; {audit}"),
        ("Art. 11, Annex IV", "Technical documentation", "`arterial governance cards`, ARCHITECTURE.md"),
        (
            "Art. 12, 19, 26(6)",
            f"Logs, kept at least {LOGS_MONTHS} months",
            f"audit log of {facts.audit_rows} rows, kept",
        ),
        ("Art. 13", "Transparency to deployers", "/privacy, /docs, `arterial governance register`"),
        (
            "Art. 14",
            "Human oversight, with a way to overrule and stop",
            statement(facts.settings, "human_intervention"),
        ),
        ("Art. 15", "Accuracy, robustness, cybersecurity", f"{scored}; `arterial bench nemesis`"),
        (
            "Art. 49(5)",
            "Registration at national level (critical infrastructure)",
            f"{BY_A_PERSON}number of the registration",
        ),
    )
    return [
        {"article": article, "asks": asks, "required": required, "evidence": evidence}
        for article, asks, evidence in rows
    ]
