"""Code concerned with a fairness audit that is kept: dated in the database, and noted in the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.governance.fairness.audit import DAYS, SAMPLES, Told, audit
from services.settings import Settings
from services.storage import audit as log
from services.storage import governance
from services.storage.database import connect


def audit_and_keep(
    settings: Settings, now: datetime, *, actor: str, days: int = DAYS, samples: int = SAMPLES, told: Told
) -> dict[str, Any]:
    """Audit as role jobs and keep the document, which is returned.

    Args:
        settings: the database, and which income group each district belongs to.
        now: the moment; the days before today are looked at.
        actor: who asked, for the audit log.
        days: how many of them.
        samples: of the bootstrap.
        told: hears how many comparisons are done, and of how many.

    Raises:
        NotFoundError: nothing was scored or released on these days.
        ConfigurationError: fairlearn is not installed, or the file of income groups cannot be used.
        UnavailableError: the database does not answer.

    """
    with connect(settings.role_dsn("jobs"), application="fairness", autocommit=True) as connection:
        result = audit(connection, settings, now, days=days, samples=samples, told=told)
        with connection.transaction():
            governance.store_fairness(connection, result)
            facts = {"passed": result["passed"], "since": result["since"], "until": result["until"]}
            log.append(connection, log.Action.FAIRNESS_AUDITED, actor, facts)
    return result
