"""Code concerned with the facts documents are made from: settings, plans, dialects and the database at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from services.governance.documents.opening import require_known_statements
from services.local_day import day_of
from services.privacy.plan import Plan, day_cap, enabled_plans
from services.settings import Settings
from services.storage import audit, governance, ledger, red_team, releases
from services.storage.audit import Action, Entry
from services.storage.database import Connection
from services.storage.governance import Destruction, FairnessResult, ModelScore, Served
from services.storage.ledger import MICRO, Budget
from services.storage.red_team import RedTeamResult
from services.storage.releases import Release

YEAR: Final = timedelta(days=365)
SCORED: Final = timedelta(days=7)
_SERVED: Final = timedelta(days=2)
_PROOFS: Final = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything known at one moment that a document may say. Nothing in it is personal.

    `red_team` is the newest run of `arterial privacy attack`; where there is none, or a newer one of the timetable did not pass,
    it is that of the timetable. `red_team_weekly` is the newest of the timetable. `plans` are those that are on; `releases` and `budgets` are those of the last year, newest first; `scores` are those of
    the week up to yesterday.
    """

    settings: Settings
    at: datetime
    today: date
    plans: tuple[Plan, ...]
    sensors: dict[str, int]
    releases: list[Release]
    budgets: list[Budget]
    destructions: list[Destruction]
    red_team: RedTeamResult | None
    red_team_weekly: RedTeamResult | None
    fairness: FairnessResult | None
    audit_rows: int
    audit_head: bytes | None
    checkpoint: Entry | None
    changed: Entry | None
    ledger_checked: Entry | None
    served: list[Served]
    scores: list[ModelScore]

    @property
    def scored_since(self) -> date:
        """The first of the UTC days whose scores are known here."""
        return (self.at - SCORED).date()

    @property
    def changed_on(self) -> date:
        """When the configuration last changed, as the audit log knows; today where it does not."""
        return self.today if self.changed is None else day_of(self.changed.at, self.settings.zone)

    @property
    def epsilon_day(self) -> float:
        """The budget of one subject's day, per domain."""
        return day_cap(self.settings) / MICRO

    def epsilon(self, plan: Plan) -> float:
        """What a plan costs of it."""
        return plan.price(day_cap(self.settings)) / MICRO

    def plans_of(self, domain: str) -> list[Plan]:
        """The plans of a domain that are on."""
        return [plan for plan in self.plans if plan.domain == domain]

    def newest_release(self, plan: str) -> Release | None:
        """The newest release of a plan within the year."""
        return next((release for release in self.releases if release.plan == plan), None)


def gather(connection: Connection, settings: Settings, now: datetime, *, scores: bool = True) -> Facts:
    """Read the facts.

    Args:
        connection: of role api or jobs.
        settings: of this process.
        now: the moment the documents are made.
        scores: whether documents about models are wanted, which read a week of scores.

    Raises:
        ConfigurationError: the settings name a plan or a statement that there is not.

    """
    require_known_statements(settings)
    today = day_of(now, settings.zone)
    rows = audit.size(connection)
    weekly = red_team.last_result(connection, scheduled=True)
    return Facts(
        settings=settings,
        at=now,
        today=today,
        plans=enabled_plans(settings),
        sensors=governance.sensor_counts(connection),
        releases=releases.releases(connection, first_day=today - YEAR, last_day=today),
        budgets=ledger.budgets(connection, first_day=today - YEAR, last_day=today),
        destructions=governance.destructions(connection, most=_PROOFS),
        red_team=decisive(red_team.last_result(connection), weekly),
        red_team_weekly=weekly,
        fairness=governance.last_fairness(connection),
        audit_rows=rows,
        audit_head=audit.hash_of(connection, rows),
        checkpoint=_newest(connection, Action.CHECKPOINT_SIGNED),
        changed=_newest(connection, Action.CONFIGURATION_CHANGED),
        ledger_checked=_newest(connection, Action.LEDGER_CHECKED),
        served=governance.served(connection, since=now - _SERVED),
        scores=governance.model_scores(connection, since=(now - SCORED).date(), until=now.date()) if scores else [],
    )


def decisive(whole: RedTeamResult | None, weekly: RedTeamResult | None) -> RedTeamResult | None:
    """Which run documents go by: the whole one says more, but a later failure is never hidden behind it."""
    if whole is None or (weekly is not None and not weekly.passed and weekly.finished_at > whole.finished_at):
        return weekly
    return whole


def _newest(connection: Connection, action: Action) -> Entry | None:
    return next(iter(audit.newest(connection, most=1, action=action)), None)
