"""Code concerned with what everybody may know: what is collected, why and for how long, what leaves, and the proofs.

Pure: the facts in, one JSON document out, which the page and the API show alike.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from ingest.decoders.catalogue import DIALECTS
from services.domain import PERSONAL_KINDS, Kind
from services.governance.documents.ai_act import classify
from services.governance.documents.catalogue import PUBLIC
from services.governance.documents.domains import DOMAINS
from services.governance.documents.facts import Facts
from services.governance.documents.record import controller
from services.governance.documents.uses import USES
from services.privacy.composition import compose
from services.privacy.plan import day_cap
from services.storage.audit import Entry
from services.storage.red_team import RedTeamResult
from services.storage.releases import Release

_LEDGER_DAYS: Final = 30
_FIXED: Final = {
    Kind.TRAFFIC: "Flow, speed and occupancy at fixed detectors; nobody is told apart",
    Kind.ENERGY: "Power of feeders, each the sum of many connections",
    Kind.ENVIRONMENT: "Air, weather and noise at fixed stations",
}
_REASON: Final = "noisy count below the threshold, or none at all: both look the same on purpose"


def transparency(facts: Facts) -> dict[str, Any]:
    """What the public page shows."""
    settings = facts.settings
    tighter = _by_distribution(facts.ledger_checked)
    return {
        "city": settings.city_name,
        "made_at": facts.at,
        "controller": controller(facts),
        "epsilon_day": facts.epsilon_day,
        "personal_hours": settings.personal_retention_hours,
        "collected": collected(facts),
        "kept": kept(facts),
        "dialects": [
            {"name": one.name, "description": one.description, "always_personal": one.personal}
            for one in DIALECTS.values()
        ],
        "published": [
            {
                "plan": plan.name,
                "version": plan.version,
                "plan_hash": plan.hash,
                "domain": plan.domain,
                "purpose": plan.purpose,
                "subject": plan.subject,
                "zones": plan.grid.partition,
                "slot_minutes": plan.grid.slot_minutes,
                "mechanism": plan.mechanism,
                "epsilon": facts.epsilon(plan),
                "delta": float(plan.delta),
                "raw_hours": plan.raw_hours,
            }
            for plan in facts.plans
        ],
        "budgets": [
            {"day": one.day, "domain": one.domain, "spent": one.spent, "cap": one.cap}
            for one in facts.budgets
            if one.day > facts.today - timedelta(days=_LEDGER_DAYS)
        ],
        "composition": [
            {
                "domain": one.domain,
                "days": one.days,
                "epsilon": one.epsilon,
                "at_most": one.at_most,
                "epsilon_distribution": tighter.get((one.domain, one.days)),
            }
            for domain in sorted({plan.domain for plan in facts.plans} | {one.domain for one in facts.budgets})
            for one in compose(facts.budgets, domain, last_day=facts.today - timedelta(days=1), cap=day_cap(settings))
        ],
        "composition_checked": _entry(facts.ledger_checked, ("agree", "last_day")),
        "withheld": [_withheld(release) for release in _newest_of_each_plan(facts)],
        "red_team": _red_team(facts.red_team),
        "red_team_weekly": _red_team(facts.red_team_weekly),
        "fairness": _fairness(facts),
        "destructions": [
            {"purpose": one.purpose, "day": one.day, "destroyed_at": one.destroyed_at} for one in facts.destructions
        ],
        "audit": {
            "rows": facts.audit_rows,
            "head": None if facts.audit_head is None else facts.audit_head.hex(),
            "checkpoint": _entry(facts.checkpoint, ("rows", "root", "key")),
            "ledger_checked": _entry(facts.ledger_checked, ("agree",)),
        },
        "algorithms": [
            {
                "name": use.name,
                "title": use.title,
                "summary": use.summary,
                "learning": use.learning,
                "ai_act": classify(facts, use),
            }
            for use in USES
        ],
        "documents": [{"name": name, "url": f"/api/v1/governance/{name}"} for name in PUBLIC],
    }


def collected(facts: Facts) -> list[dict[str, Any]]:
    """Every kind of reading: what it holds, why, and how long it is kept."""
    fixed = [
        {
            "kind": str(kind),
            "personal": False,
            "sensors": facts.sensors.get(kind, 0),
            "what": text,
            "dropped": "Nothing: readings are flagged, not deleted",
            "purpose": "Show and forecast the city's traffic, energy and air",
            "kept": "As long as the city keeps them; open data",
        }
        for kind, text in _FIXED.items()
        if kind not in PERSONAL_KINDS
    ]
    personal = [
        {
            "kind": domain.kind,
            "personal": True,
            "sensors": None,
            "what": "; ".join(domain.stored.values()),
            "dropped": domain.dropped,
            "purpose": " ".join(plan.purpose for plan in facts.plans_of(domain.name)) or "None: no plan is on",
            "kept": f"At most {facts.settings.personal_retention_hours} hours, under a name that changes every day",
        }
        for domain in DOMAINS
    ]
    return [*fixed, *personal]


def kept(facts: Facts) -> list[dict[str, str]]:
    """How long each class of data is kept, as the settings say."""
    settings = facts.settings
    return [
        {"class": "Personal rows, their keys and claims", "rule": f"at most {settings.personal_retention_hours} hours"},
        {"class": "Personal messages that could not be read", "rule": "48 hours after receipt"},
        {"class": "Other messages that could not be read", "rule": f"{settings.dead_letter_days} days"},
        {"class": "Readings of fixed sensors", "rule": "kept: they observe no person"},
        {"class": "Forecasts", "rule": f"the first of each hour {settings.forecast_keep_days} days, others 2 days"},
        {
            "class": "Published aggregates",
            "rule": "kept: private by their noise, and erasing them would free no budget",
        },
        {"class": "Ledger and audit log", "rule": "kept: they can only grow"},
    ]


def _newest_of_each_plan(facts: Facts) -> list[Release]:
    names = dict.fromkeys(release.plan for release in facts.releases)
    found = (facts.newest_release(name) for name in names)
    return [release for release in found if release is not None]


def _withheld(release: Release) -> dict[str, Any]:
    return {
        "plan": release.plan,
        "version": release.plan_version,
        "day": release.day,
        "values": release.cells,
        "withheld": release.suppressed,
        "threshold": release.threshold,
        "ci95": release.ci95,
        "epsilon": release.epsilon,
        "reason": _REASON,
    }


def _by_distribution(checked: Entry | None) -> dict[tuple[str, int], float]:
    """What the second accountant found at δ = 10^-6 in the last check of the ledger, by domain and days."""
    windows = [] if checked is None else json.loads(checked.body).get("windows", [])
    return {(one["domain"], one["days"]): one["epsilon_distribution"] for one in windows}


def _red_team(last: RedTeamResult | None) -> dict[str, Any] | None:
    if last is None:
        return None
    names = ("name", "control_passed", "advantage", "limit", "epsilon_hat", "passed")
    attacks = [{name: attack.get(name) for name in names} for attack in last.result.get("attacks", [])]
    short = bool(last.result.get("short"))
    return {"finished_at": last.finished_at, "passed": last.passed, "short": short, "attacks": attacks}


def _fairness(facts: Facts) -> dict[str, Any] | None:
    last = facts.fairness
    if last is None:
        return None
    names = ("since", "until", "gates", "not_judged")
    return {"audited_at": last.audited_at, "passed": last.passed} | {name: last.result[name] for name in names}


def _entry(entry: Entry | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    """When a row of the audit log was written, and some of what it says."""
    if entry is None:
        return None
    body = json.loads(entry.body)
    return {"at": entry.at, "row": entry.seq} | {name: body[name] for name in names if name in body}
