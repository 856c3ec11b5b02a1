"""Code concerned with the days before: what was drawn for them says what a day of its kind usually looks like.

Noisy numbers are kept whole, those that were withheld too. Their noise protects them as the ledger says for their own day; only
the release role reads them, and no longer than their plan's `earlier_days`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import numpy as np

from models.calendar import Calendar
from services.privacy.days import LocalDay
from services.privacy.drawing import Drawn
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers
from services.settings import Settings
from services.storage import releases
from services.storage.database import Connection
from services.storage.ledger import Charge


def days_like(
    connection: Connection, settings: Settings, plan: Plan, paid: Charge, day: LocalDay, domain: Integers
) -> dict[str, Integers]:
    """What was drawn by the same plan, price and domain for earlier days of the same kind, by measure, days first.

    Days are of one kind when people work on both or on neither, and both are as long. After a change of plan, price or
    districts there are none.
    """
    if not plan.earlier_days:
        return {}
    calendar = Calendar(zone=settings.city_timezone, country=settings.city_country, region=settings.city_region)
    slots = len(day.slots(plan.grid.slot_minutes))
    found: dict[str, list[Integers]] = defaultdict(list)
    for then, measure, counts in releases.earlier_drawn(
        connection,
        plan_hash=plan.hash,
        epsilon=paid.epsilon,
        cells=domain,
        first_day=day.day - timedelta(days=plan.earlier_days),
        before=day.day,
    ):
        if calendar.works_on(then) == calendar.works_on(day.day) and counts.shape[1] == slots:
            found[measure].append(counts)
    return {measure: np.stack(days) for measure, days in found.items()}


def keep(connection: Connection, plan: Plan, paid: Charge, domain: Integers, drawn: Drawn) -> None:
    """Keep what was drawn for days to come, and destroy what is too old for them."""
    if plan.earlier_days:
        releases.keep_drawn(connection, paid.release_key, domain, drawn.noisy)
        releases.forget_drawn(connection, plan=plan.name, before=paid.day - timedelta(days=plan.earlier_days))
