"""Code concerned with which configuration was in force: the settings and the release plans, logged when they change.

Secrets are left out, and so is where a process runs: processes of one kind on several machines say the same.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Any, Final, Literal

import orjson
import psycopg
import structlog

from services.errors import UnavailableError
from services.privacy.plan import enabled_plans, load_plans
from services.settings import Role, Settings
from services.storage import audit
from services.storage.audit import Action
from services.storage.database import connect, first_line

Service = Literal["ingest", "worker", "serve"]
_ROLES: Final[dict[Service, Role]] = {"ingest": "ingest", "worker": "jobs", "serve": "api"}
_OF_A_PROCESS: Final = frozenset(
    {
        "api_host",
        "api_port",
        "audit_checkpoint_dir",
        "audit_key_file",
        "data_dir",
        "influx_url",
        "ingest_metrics_host",
        "ingest_metrics_port",
        "ingest_processes",
        "log_format",
        "log_level",
        "mqtt_client_id",
        "mqtt_share_group",
        "mqtt_share_member",
    }
)
_NAMES_PEOPLE: Final = frozenset({"governance_contact_email", "governance_data_protection_officer"})
_LONGEST: Final = 1_000
_log = structlog.get_logger()


def effective(settings: Settings) -> dict[str, Any]:
    """What is in force: a hash of it all, the settings that are neither secret nor of one process, the plans.

    A long value, and one that names a person, stands as its SHA-256.
    """
    on = {plan.name: plan for plan in enabled_plans(settings)}
    facts = {
        "version": version("arterial"),
        "settings": {
            name: _digest(value) if name in _NAMES_PEOPLE else _short(value)
            for name, value in settings.model_dump(mode="json").items()
            if name not in _OF_A_PROCESS and "SecretStr" not in str(type(settings).model_fields[name].annotation)
        },
        "plans": {
            plan.name: {"version": used.version, "hash": used.hash, "on": plan.name in on}
            for plan in load_plans()
            for used in (on.get(plan.name, plan),)
        },
    }
    return {"hash": hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest(), **facts}


def note(settings: Settings, service: Service) -> None:
    """Log the configuration when it is not the one that this kind of process logged last.

    A database that does not answer yet keeps no process from starting: it is told in the process's own log.
    """
    try:
        with connect(settings.role_dsn(_ROLES[service]), application=service) as connection:
            audit.append_if_new(connection, Action.CONFIGURATION_CHANGED, service, effective(settings))
    except (UnavailableError, psycopg.Error) as error:
        _log.warning("the configuration could not be written into the audit log", reason=first_line(error))


def _short(value: Any) -> Any:
    return value if len(orjson.dumps(value)) <= _LONGEST else _digest(value)


def _digest(value: Any) -> str | None:
    """A stand-in that shows that something changed, not what it is."""
    return (
        None
        if value is None
        else f"sha256:{hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()}"
    )
