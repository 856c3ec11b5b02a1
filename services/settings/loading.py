"""Code concerned with reading the settings of a process, and with saying what is wrong with them."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.errors import ConfigurationError
from services.settings.secret_files import PREFIX
from services.settings.whole import Settings

ENDPOINTS_FILE: Final = "endpoints.json"


def load_settings(overrides: Mapping[str, Any] | None = None, *, join_running: bool = True) -> Settings:
    """Read the settings of this process.

    Args:
        overrides: settings given on the command line; they win.
        join_running: where no database is configured, use the one of the `arterial up` that runs on this data folder.

    Raises:
        ConfigurationError: a setting is unknown or has an impossible value; the message names each.

    """
    unknown = _unknown_variables()
    if unknown:
        alike = [f"{PREFIX}{name.upper()}" for name in _alike(unknown[0])]
        hint = f"did you mean {' or '.join(alike)}?" if alike else "see deploy/.env.example for those that exist"
        message = f"unknown setting {', '.join(unknown)}: {hint}"
        raise ConfigurationError(message)
    try:
        settings = Settings(**dict(overrides or {}))
        if join_running and settings.database_url is None:
            settings = Settings(**{**_beside(settings, _running_city(settings.data_dir)), **dict(overrides or {})})
    except ValidationError as error:
        facts = "; ".join(_explain(problem["loc"], problem["msg"], problem["type"]) for problem in error.errors())
        raise ConfigurationError(facts) from None
    except SettingsError as error:
        message = (
            f"{error.__cause__ or error}: lists are written as JSON, for example ARTERIAL_MQTT_TOPICS='[\"city/v1/#\"]'"
        )
        raise ConfigurationError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"arterial.toml is not valid TOML: {error}"
        raise ConfigurationError(message) from error
    return settings


def _beside(settings: Settings, city: Mapping[str, Any]) -> dict[str, Any]:
    """What of the running city is not said otherwise: its database with its passwords, and what nobody has set."""
    own = settings.model_fields_set
    left_out = own | ({"mqtt_protocol"} if "mqtt_url" in own else set())
    return {
        name: value for name, value in city.items() if name.startswith("database_password_") or name not in left_out
    }


def _alike(unknown: str) -> list[str]:
    name = unknown.removeprefix(PREFIX).lower()
    words = [field for field in Settings.model_fields if field.endswith(name) or name.endswith(field)]
    return words[:3] or get_close_matches(name, Settings.model_fields, n=2, cutoff=0.75)


def _running_city(data_dir: Path) -> dict[str, Any]:
    """The settings by which other commands reach the services that `arterial up` started on this data folder."""
    try:
        endpoints = json.loads((data_dir.expanduser() / ENDPOINTS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{data_dir / ENDPOINTS_FILE} cannot be read ({error}): is `arterial up` running?"
        raise ConfigurationError(message) from error
    password = urlsplit(endpoints["database"]).password
    return {
        "database_url": endpoints["database"],
        **{f"database_password_{role}": unquote(password or "") for role in ("ingest", "jobs", "api")},
        "mqtt_url": endpoints["mqtt"],
        "mqtt_protocol": endpoints["mqtt_protocol"],
        **endpoints.get("settings", {}),
    }


def _unknown_variables() -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name for name in os.environ if name.startswith(PREFIX)}
    return sorted(name for name in given if name not in known and name.removesuffix("_FILE") not in known)


def _explain(location: tuple[int | str, ...], reason: str, kind: str) -> str:
    name = ".".join(str(part) for part in location)
    reason = reason.removeprefix("Value error, ")
    if kind == "extra_forbidden" and len(location) > 1:
        return f"{PREFIX}{name.rpartition('.')[0].upper()} has an unknown field {location[-1]!r}"
    if kind == "extra_forbidden":
        return f"arterial.toml has an unknown setting {name!r}"
    return f"{PREFIX}{name.upper()}: {reason}" if name else reason
