"""Code concerned with what the worker does once a week: audits of fairness and attacks on our own releases, dated and public.

Both are asked for every night and do nothing while their last result is younger than a week, so that a worker that was away on
the day catches up the next night. The attacks see generated people in memory and nothing else: no database is open meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from services.errors import ConfigurationError, NotFoundError
from services.governance.fairness.keeping import audit_and_keep
from services.settings import Settings
from services.storage import audit, governance, red_team
from services.storage.audit import Action
from services.storage.database import connect

log = structlog.get_logger()

_WEEK: Final = timedelta(days=7) - timedelta(hours=2)  # nights are not always equally long apart


def attack_releases(settings: Settings) -> None:
    """Run the short version of the attacks that need no platform, and keep what they found."""
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        last = red_team.last_result(connection, scheduled=True)
    if last is not None and datetime.now(UTC) - last.finished_at < _WEEK:
        return
    from services.privacy.attacks import suite  # large, and needed once a week
    from services.privacy.attacks.ground import Ground

    in_memory = [attack for attack in suite.named([]) if attack.name not in suite.ON_A_PLATFORM]
    result = suite.run(Ground(short=True), in_memory, lambda name: log.debug("attack begins", attack=name))
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        red_team.store_result(connection, {**result, "scheduled": True})
        facts = {"passed": result["passed"], "short": True, "attacks": len(in_memory)}
        audit.append(connection, Action.RELEASES_ATTACKED, "worker", facts)
    if result["passed"]:
        log.info("attacks on our own releases stayed below their limits", seconds=result["seconds"])
    else:
        through = [each["name"] for each in result["attacks"] if not each["passed"]]
        log.error("attacks on our own releases did not stay below their limits", attacks=through)


def audit_fairness(settings: Settings) -> None:
    """Compare how well districts and income groups are served, where there is something to compare."""
    now = datetime.now(UTC)
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        last = governance.last_fairness(connection)
    if last is not None and now - last.audited_at < _WEEK:
        return
    try:
        result = audit_and_keep(settings, now, actor="worker", told=lambda _done, _of: None)
    except NotFoundError as error:
        log.info("fairness is not audited yet", reason=str(error))
    except ConfigurationError as error:
        log.warning("fairness is not audited", reason=str(error))
    else:
        log.info("fairness audited", passed=result["passed"], since=result["since"], until=result["until"])
