"""Code concerned with what a person may ask for: to see the rows, to have them erased, to be left out from now on.

Who asks shows a secret that the device laid down, as a SHA-256, under its pseudonym of the day (`city/v1/<kind>/<device>/claim`;
the broker lets a device write under its own name only). So no identifier and no account is kept. Seeing and erasing reach the
days of which there still is a key, two at most. Of older days nothing is stored that could be found again, by the platform
neither (GDPR Art. 11); what was published of them is noisy and names nobody, and stays. Objecting has no end: ingest drops
the readings before anything is made of them, so they are never bounded, counted or buried.

What was asked for is remembered in `DATA_DIR/tombstones.json`, so that it can be done again after a restore: erasures for as
long as a backup could bring the rows back, objections for good; pseudonyms and fingerprints, no names.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from services.errors import ConfigurationError, NotFoundError
from services.local_day import day_of
from services.objections import load_objection_key
from services.settings import Settings
from services.storage import audit, personal, personal_rights
from services.storage.audit import Action
from services.storage.database import Connection, connect
from services.storage.personal_rights import Purpose, SubjectDay

_ACTOR: Final = "arterial privacy"
_REMEMBERED: Final = timedelta(days=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is stored of one local day of the person who asked."""

    day: date
    rows: list[dict[str, Any]]


class _Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    purpose: Purpose
    day: date
    subject: str


class _Objection(msgspec.Struct, frozen=True, kw_only=True):
    purpose: Purpose
    fingerprint: str
    key_name: str
    withdrawn: bool


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds: recent erasures, and the last word of everyone who objected or withdrew."""

    erased: list[_Tombstone] = []
    objections: list[_Objection] = []


def access(settings: Settings, purpose: Purpose, device: str, token: str) -> list[Answer]:
    """All rows of the device, day by day.

    Args:
        settings: the database as role jobs.
        purpose: mobility or household.
        device: the identifier it sends under.
        token: the secret whose SHA-256 it laid down.

    Raises:
        NotFoundError: on no day that is left has the device laid down this secret.

    """
    with connect(settings.role_dsn("jobs"), application="rights", autocommit=True) as connection:
        with personal.release_transaction(connection):
            days = personal_rights.proven_days(connection, purpose, device, token.encode())
            found = [Answer(day=who.day, rows=personal_rights.rows_of(connection, who)) for who in days]
            _log(connection, Action.SUBJECT_ACCESS, purpose, days)
        _require_proof(days)
    return found


def erase(settings: Settings, purpose: Purpose, device: str, token: str) -> list[date]:
    """Delete all rows of the device; the days.

    Raises:
        NotFoundError: on no day that is left has the device laid down this secret.
        ConfigurationError: the tombstones cannot be written; nothing was erased.

    """
    with connect(settings.role_dsn("jobs"), application="rights", autocommit=True) as connection:
        with personal.release_transaction(connection):
            days = personal_rights.proven_days(connection, purpose, device, token.encode())
            for who in days:
                personal_rights.erase(connection, who)
            _remember(settings, days)
            _log(connection, Action.SUBJECT_ERASURE, purpose, days)
        _require_proof(days)
    return [who.day for who in days]


def ask_again(settings: Settings, connection: Connection) -> list[date]:
    """After a restore: delete once more what was erased before it, and put objections and withdrawals back; the erased days.

    Args:
        settings: where they are kept.
        connection: with the rights of the release role.

    """
    kept = _read(_file(settings))
    for stone in kept.erased:
        who = SubjectDay(purpose=stone.purpose, day=stone.day, subject=base64.b64decode(stone.subject))
        personal_rights.erase(connection, who)
    for one in kept.objections:
        fingerprint = base64.b64decode(one.fingerprint)
        if one.withdrawn:
            personal_rights.withdraw_objection(connection, one.purpose, fingerprint)
        else:
            personal_rights.object_to(connection, one.purpose, fingerprint, one.key_name)
    return sorted({stone.day for stone in kept.erased})


def object_to(settings: Settings, purpose: Purpose, device: str, token: str | None) -> bool:
    """Have the device's readings dropped from now on; whether that is news.

    Args:
        settings: the database as role jobs, and the key of objections.
        purpose: mobility or household.
        device: the identifier it sends under.
        token: the secret; None when a person has made sure otherwise who asks, which the audit log says.

    Raises:
        NotFoundError: on no day that is left has the device laid down this secret.

    """
    return _change_objection(settings, purpose, device, token, withdraw=False)


def withdraw_objection(settings: Settings, purpose: Purpose, device: str, token: str | None) -> bool:
    """Have the device's readings taken again; whether there was an objection.

    A device that is left out lays down nothing, so its owner is known otherwise: `token` is mostly None.

    Raises:
        NotFoundError: on no day that is left has the device laid down this secret.

    """
    return _change_objection(settings, purpose, device, token, withdraw=True)


def _change_objection(settings: Settings, purpose: Purpose, device: str, token: str | None, *, withdraw: bool) -> bool:
    key = load_objection_key(settings, make=True)
    assert key is not None  # noqa: S101 - it was made
    fingerprint = key.fingerprint(purpose, device)
    with (
        connect(settings.role_dsn("jobs"), application="rights", autocommit=True) as connection,
        personal.release_transaction(connection),
    ):
        days = [] if token is None else personal_rights.proven_days(connection, purpose, device, token.encode())
        granted = token is None or bool(days)
        changed = granted and (
            personal_rights.withdraw_objection(connection, purpose, fingerprint)
            if withdraw
            else personal_rights.object_to(connection, purpose, fingerprint, key.name)
        )
        if granted:
            word = _Objection(
                purpose=purpose,
                fingerprint=base64.b64encode(fingerprint).decode(),
                key_name=key.name,
                withdrawn=withdraw,
            )
            kept = _read(_file(settings))
            others = [one for one in kept.objections if (one.purpose, one.fingerprint) != (purpose, word.fingerprint)]
            _write(_file(settings), msgspec.structs.replace(kept, objections=[*others, word]))
        proof = "operator" if token is None else "token"
        facts = {"purpose": purpose, "withdrawn": withdraw, "proof": proof, "granted": granted, "changed": changed}
        audit.append(connection, Action.SUBJECT_OBJECTION, _ACTOR, facts)
    if not granted:
        _require_proof(days)
    return changed


def _log(connection: Connection, action: Action, purpose: Purpose, days: list[SubjectDay]) -> None:
    facts = {"purpose": purpose, "granted": bool(days), "days": [who.day.isoformat() for who in days]}
    audit.append(connection, action, _ACTOR, facts)


def _require_proof(days: list[SubjectDay]) -> None:
    if not days:
        message = (
            "on no day that is left has this device laid down this secret. Either one of them is misspelt, or the device sent no "
            "claim, or the keys of its days are destroyed: then nothing that is stored can be traced to it any more"
        )
        raise NotFoundError(message)


def _file(settings: Settings) -> Path:
    return settings.data_dir / "tombstones.json"


def _read(file: Path) -> _Kept:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except (OSError, msgspec.DecodeError) as error:
        message = f"{file}, which remembers what was erased and who objected, cannot be read: {error}"
        raise ConfigurationError(message) from error


def _remember(settings: Settings, days: Iterable[SubjectDay]) -> None:
    kept = _read(_file(settings))
    oldest = day_of(datetime.now(UTC) - _REMEMBERED, settings.zone)
    stones = [stone for stone in kept.erased if stone.day >= oldest]
    stones += [
        _Tombstone(purpose=who.purpose, day=who.day, subject=base64.b64encode(who.subject).decode()) for who in days
    ]
    _write(_file(settings), msgspec.structs.replace(kept, erased=stones))


def _write(file: Path, kept: _Kept) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(msgspec.json.encode(kept))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        message = f"the request cannot be remembered in {file} ({error.strerror}), so nothing was done"
        raise ConfigurationError(message) from error
