"""Code concerned with the one way out: a closed local day becomes published numbers, once, at a price paid before.

Theorem. Take one domain D with its subject (mobility: one vehicle; household: one household; bike: one trip; charging: one
session) and one local day d. Let R be everything Arterial ever publishes that depends on the personal rows of D on d. For
any two collections of rows that differ by all rows of one subject on d, and for every set S of results,
P(R in S) <= e^ε P(R' in S) + δ. ε is what the ledger shows as spent for (D, d), never more than its cap; δ is the sum of the
deltas of those charges, never more than 10^-6, and 0 where all their noise is Laplace. Over w days it
is at most w times both.

Assumptions. One pseudonym per subject and local day (ingest makes it from a key that never changes within the day and
is never made again once destroyed). Plans, districts, register, cap and release times were fixed without a look at the data.
The random source and the ledger are intact. Personal rows are read nowhere else: the database lets only role
arterial_release read them, and only this package steps into it.

Why it holds. Bounding makes each exact vector change by at most the plan's sensitivity, in L1 where the noise is Laplace and
in L2 where it is Gaussian. Laplace noise of scale b on whole numbers costs sensitivity / b. Discrete Gaussian noise costs, but
for factors below 10^-8, what continuous noise costs whose variance is lower by 2, since rounding that at random makes the one of
the other, whichever numbers the subject changes and by how much; `mechanisms.gaussian_price` proves it. Before noise is drawn,
its price is derived from the very measurement that draws it and held against the charge, of which the prices of all measures are
parts; the charges of a day add up to at most the cap. Plans of a domain may use several grids: all of them spend the same
budget, so the sum holds whatever they have in common. Domain and number of published rows are public. Withholding, smoothing,
rounding and everything downstream see noisy numbers only; those of one day are used again on days to come, whose own noise does
not depend on it. A release key is drawn once and stored: asking again returns what is
stored.

After a crash. The charge is committed before noise is drawn and is never given back. A later run of the same key finds
the charge but no release and completes it under that charge. That costs nothing more, because the transaction that
failed stored nothing, and noisy numbers exist nowhere outside it: they are in no log, no message and no file. The one
result anybody ever sees is a single draw. It is assumed that whether a run fails does not depend on the personal rows,
and that nobody reads the memory of the failed process.

What it does not cover: operators who can read the personal rows, fixed sensors, conclusions about whole groups, and
people with several subjects (a household's two cars pay twice; so does who rides or charges twice, because who did is never
known).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from services.errors import ArterialError, BudgetExhaustedError, InputError, NotFoundError
from services.privacy import continuity, earlier
from services.privacy.days import LocalDay, local_day, open_for_release
from services.privacy.drawing import Drawn, draw
from services.privacy.mechanisms.catalogue import mechanism_of
from services.privacy.plan import Plan, day_cap, enabled_plans
from services.privacy.policy import MOST_DELTA, check
from services.privacy.products.catalogue import CATALOGUE
from services.privacy.products.contract import Integers, Numbers
from services.settings import Settings
from services.storage import audit, ledger, personal, releases
from services.storage.audit import Action
from services.storage.database import Connection, connect


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseSummary:
    """A release, and whether it had been published before (`replayed`: nothing was read, drawn or spent)."""

    release: releases.Release
    replayed: bool


def release_day(settings: Settings, plan: Plan, day: date, *, now: datetime | None = None) -> ReleaseSummary:
    """Publish one plan's numbers of one closed local day, or return what was published before.

    Args:
        settings: the database as role jobs, the city's zone and the daily budget.
        plan: checked here together with the other plans that are on.
        day: in the city's zone.
        now: the time it is; by default the clock's.

    Raises:
        InputError: the plan is refused, or the day is still open or too old; nothing was spent.
        BudgetExhaustedError: the day's budget does not hold the price; nothing was spent.
        NotFoundError: the city has no districts, so there is no public grid; nothing was spent.
        UnavailableError: the database does not answer.

    """
    check(_together_with(plan, settings), settings)
    when = local_day(day, settings)
    with connect(settings.role_dsn("jobs"), application="release", autocommit=True) as connection:
        stored = _stored(connection, plan, day)
        if stored is not None:
            return ReleaseSummary(release=stored, replayed=True)
        _require_open(when, now or datetime.now(UTC))
        domain = _public_domain(connection, plan)
        _charge(connection, settings, plan, day)
        return _complete(connection, settings, plan, when, domain)


def release_closed_days(settings: Settings, now: datetime) -> list[releases.Release]:
    """Publish every plan that is on for every day whose release window is open; returns what was not published before.

    Whether a day is released depends on the calendar only: a day without any personal rows is released too, since its
    absence would say something about the one subject that might have been there. One plan's failure does not keep
    the others from being released. A city without districts has nothing to release yet.

    Raises:
        ArterialError: the first failure, after all plans were tried.

    """
    done: list[releases.Release] = []
    failures: list[ArterialError] = []
    for plan in enabled_plans(settings):
        for day in open_for_release(settings, now):
            try:
                summary = release_day(settings, plan, day.day, now=now)
            except NotFoundError:
                continue
            except ArterialError as error:
                failures.append(error)
                continue
            if not summary.replayed:
                done.append(summary.release)
    if failures:
        raise failures[0]
    return done


def _together_with(plan: Plan, settings: Settings) -> list[Plan]:
    return [plan, *(other for other in enabled_plans(settings) if other.name != plan.name)]


def _stored(connection: Connection, plan: Plan, day: date) -> releases.Release | None:
    stored = releases.find_release(connection, plan.release_key(day))
    if stored is not None:
        _require_same_plan(plan, stored.plan_hash, stored.release_key)
    return stored


def _require_same_plan(plan: Plan, known_hash: str, release_key: str) -> None:
    if plan.hash != known_hash:
        message = (
            f"{release_key} was charged under another plan of that version (hash {known_hash[:12]}, now "
            f"{plan.hash[:12]}): give the changed plan a new version"
        )
        raise InputError(message)


def _require_open(day: LocalDay, now: datetime) -> None:
    if now < day.release_from:
        message = f"{day.day} is not closed: it can be released from {day.release_from:%Y-%m-%d %H:%M} UTC"
        raise InputError(message)
    if now >= day.release_until:
        message = (
            f"{day.day} was not released while it could be, until {day.release_until:%Y-%m-%d %H:%M} UTC; its personal "
            "rows are destroyed"
        )
        raise InputError(message)


def _public_domain(connection: Connection, plan: Plan) -> Integers:
    with personal.release_transaction(connection):
        domain = CATALOGUE[plan.name].domain(connection)
    if not domain.size:
        message = (
            f"there is no public grid to release {plan.name} on: the city has no districts, or nothing in the register that "
            "the plan needs"
        )
        raise NotFoundError(message)
    return domain


def _charge(connection: Connection, settings: Settings, plan: Plan, day: date) -> None:
    """Pay, in a transaction of its own that is committed on return, and remember it outside of the database."""
    cap = day_cap(settings)
    price = plan.price(cap)
    key = plan.release_key(day)
    try:
        continuity.require(connection, settings)
        with personal.release_transaction(connection):
            paid = ledger.charge(
                connection,
                release_key=key,
                domain=plan.domain,
                day=day,
                plan_hash=plan.hash,
                micro_epsilon=price,
                cap=cap,
                delta=float(plan.delta),
                noise=_noise(plan, price),
            )
            _require_delta(connection, plan, day)
    except BudgetExhaustedError as error:
        facts = {"release_key": key, "plan_hash": plan.hash, "micro_epsilon": price, "reason": str(error)}
        with connection.transaction():
            audit.append_if_new(connection, Action.RELEASE_DENIED, "release", facts)
        raise
    _require_same_plan(plan, paid.plan_hash, paid.release_key)
    continuity.remember(settings, paid)


def _require_delta(connection: Connection, plan: Plan, day: date) -> None:
    """Refuse, and so take back in the same transaction, a charge that brings the day's δ above what a domain may have.

    The row of the day's budget is locked since the charge, so no other plan's charge comes in between.
    """
    charges = ledger.charges(connection, first_day=day, last_day=day)
    delta = sum(Decimal(str(charge.delta)) for charge in charges if charge.domain == plan.domain)
    if delta > MOST_DELTA:
        message = (
            f"the releases of domain {plan.domain} for {day} would have a delta of {delta:.0e} together, more than "
            f"{MOST_DELTA:.0e}, with {plan.release_key(day)}: nothing was charged for it"
        )
        raise BudgetExhaustedError(message)


def _noise(plan: Plan, price: int) -> list[ledger.Noise]:
    """What is drawn for that price, measure by measure."""
    parts = plan.parts(price)
    return [
        ledger.Noise(
            measure=measure.name,
            mechanism=measure.mechanism,
            scale=mechanism_of(measure, parts[measure.name]).scale,
            cells=measure.cells_per_subject,
            per_cell=measure.per_cell,
            norm=measure.norm_per_subject,
            micro_epsilon=parts[measure.name],
            delta=float(measure.delta),
        )
        for measure in plan.measure
    ]


def _complete(
    connection: Connection, settings: Settings, plan: Plan, day: LocalDay, domain: Integers
) -> ReleaseSummary:
    """Read, bound, draw and publish in one transaction, under the charge that is in the ledger."""
    key, product = plan.release_key(day.day), CATALOGUE[plan.name]
    with personal.release_transaction(connection):
        personal.one_at_a_time(connection, key)
        stored = _stored(connection, plan, day.day)
        if stored is not None:
            return ReleaseSummary(release=stored, replayed=True)
        paid = ledger.find_charge(connection, key)
        before = earlier.days_like(connection, settings, plan, paid, day, domain)
        drawn = draw(plan, product, paid.micro_epsilon, product.exact(connection, plan, day, domain), before)
        release = releases.publish_release(connection, _head(plan, paid, drawn))
        earlier.keep(connection, plan, paid, domain, drawn)
        numbers = Numbers(
            release_key=key,
            plan=plan,
            day=day,
            domain=domain,
            values=drawn.values,
            shown=drawn.shown,
            ci95=drawn.ci95,
        )
        product.publish(connection, numbers)
        facts = {
            "release_key": key,
            "plan_hash": plan.hash,
            "epsilon": release.epsilon,
            "delta": release.delta,
            "cells": release.cells,
            "withheld": release.suppressed,
        }
        audit.append(connection, Action.RELEASE_PUBLISHED, "release", facts)
    return ReleaseSummary(release=release, replayed=False)


def _head(plan: Plan, paid: ledger.Charge, drawn: Drawn) -> releases.ReleaseHead:
    """What is said about the release as a whole."""
    decides = plan.measure_named(plan.threshold.measure)
    return releases.ReleaseHead(
        release_key=paid.release_key,
        plan=plan.name,
        plan_version=plan.version,
        plan_hash=plan.hash,
        day=paid.day,
        epsilon=paid.epsilon,
        delta=float(plan.delta),
        mechanism=plan.mechanism,
        noise_scale=drawn.noise_scale,
        threshold=drawn.threshold,
        rounding=decides.rounding,
        ci95=drawn.ci95[decides.name],
        cells=drawn.shown.size,
        suppressed=int((~drawn.shown).sum()),
    )
