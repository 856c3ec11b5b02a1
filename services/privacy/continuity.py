"""Code concerned with restored backups: a database that has forgotten what was spent must not spend it again.

Three witnesses are asked before each charge. The database itself knows its cluster, timeline and number, which a restore
from a dump or by recovery changes. A file beside the workers, `DATA_DIR/ledger.json`, knows the charges of the last days,
which a copy of the disk put back has lost. The newest checkpoint knows a row of the audit log. A restore of everything at
once, the file too, is seen only by a checkpoint that was written to another machine.

Whoever takes a restored database over burns every day that had closed: what had been released before stays published, and
nothing more is. That costs two days at most, since older ones have no personal rows.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from services.errors import BudgetExhaustedError, ConfigurationError
from services.local_day import day_of
from services.privacy.plan import day_cap, load_plans
from services.privacy.rights import ask_again
from services.settings import Settings
from services.storage import audit, ledger, personal
from services.storage.audit import Action
from services.storage.database import Connection

REMEMBERED_DAYS: Final = 10
_RELEASABLE_DAYS: Final = 3
_ACTOR: Final = "ledger"


class _Spent(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    micro_epsilon: int


class _Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds: the charges of the last days by their release key."""

    charges: dict[str, _Spent] = {}


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of a checkpoint: the number of its last row and, as the last hash, that row's."""

    at: datetime
    rows: int
    hashes: tuple[str, ...]


def require(connection: Connection, settings: Settings) -> None:
    """Refuse to go on in a database that seems to have been restored; note where the ledger is kept when it is new.

    Args:
        connection: as role jobs, in autocommit mode.
        settings: the data folder and the folder of the checkpoints.

    Raises:
        BudgetExhaustedError: with the reasons and what to do.
        ConfigurationError: the file in the data folder cannot be read.

    """
    reasons = differences(connection, settings)
    if reasons:
        with connection.transaction():
            audit.append_if_new(connection, Action.RESTORE_FOUND, _ACTOR, {"reasons": reasons})
        message = (
            f"the database seems to have been restored: {'; '.join(reasons)}. Days that were released since its backup could "
            "be released again, so none is. Check that ARTERIAL_DATABASE_URL and ARTERIAL_DATA_DIR belong together; when the "
            "restore was meant, `arterial privacy ledger --accept-restore` burns the days that had closed and goes on with today"
        )
        raise BudgetExhaustedError(message)
    if ledger.known_incarnation(connection) is None:
        with personal.release_transaction(connection):
            ledger.note_incarnation(connection, ledger.incarnation(connection))


def differences(connection: Connection, settings: Settings) -> list[str]:
    """Why the database seems to have been restored; empty when it does not."""
    found = []
    here, known = ledger.incarnation(connection), ledger.known_incarnation(connection)
    if known is not None and here != known:
        names = [name for name, value in asdict(known).items() if asdict(here)[name] != value]
        found.append(f"its {' and '.join(names)} changed since its last release")
    remembered = _read(_file(settings)).charges
    if remembered:
        days = [spent.day for spent in remembered.values()]
        booked = {
            charge.release_key: charge.micro_epsilon
            for charge in ledger.charges(connection, first_day=min(days), last_day=max(days))
        }
        lost = sorted(key for key, spent in remembered.items() if booked.get(key, 0) < spent.micro_epsilon)
        if lost:
            found.append(f"its ledger has lost {', '.join(lost)}")
    seen, since = _newest_checkpoint(settings), ledger.kept_here_since(connection)
    if seen is not None and seen.hashes and (since is None or seen.at > since):
        row = audit.hash_of(connection, seen.rows)
        if row is None or row.hex() != seen.hashes[-1]:
            found.append(f"its audit log has not the row {seen.rows} that a checkpoint has signed")
    return found


def remember(settings: Settings, charge: ledger.Charge) -> None:
    """Write a committed charge into the data folder, before its noise is drawn.

    Raises:
        ConfigurationError: the file cannot be written; the charge stays.

    """
    file = _file(settings)
    try:
        with _alone(file):
            kept = {key: spent for key, spent in _read(file).charges.items() if _recent(spent.day, charge.day)}
            spent = _Spent(day=charge.day, micro_epsilon=charge.micro_epsilon)
            if kept.get(charge.release_key) != spent:
                _write(file, _Memory(charges={**kept, charge.release_key: spent}))
    except OSError as error:
        message = f"the charge cannot be remembered in {file} ({error.strerror}), so nothing is released"
        raise ConfigurationError(message) from error


def accept(connection: Connection, settings: Settings, now: datetime) -> list[str]:
    """Take a restored database over: burn the days that had closed, in every domain, and go on with today.

    Args:
        connection: as role jobs, in autocommit mode.
        settings: the zone, the cap and the data folder.
        now: the time it is.

    Returns:
        The reasons there were; empty when nothing seemed restored, and then nothing was done.

    """
    reasons = differences(connection, settings)
    if not reasons:
        return []
    file = _file(settings)
    through = day_of(now, settings.zone) - timedelta(days=1)
    through = max([through, *(spent.day for spent in _read(file).charges.values())])
    recent = [through - timedelta(days=back) for back in range(_RELEASABLE_DAYS)]
    with personal.release_transaction(connection):
        for domain in sorted({plan.domain for plan in load_plans()}):
            ledger.burn(connection, domain=domain, through=through, recent=recent, cap=day_cap(settings))
        ledger.note_incarnation(connection, ledger.incarnation(connection))
        erased = [day.isoformat() for day in ask_again(settings, connection)]
        facts = {"reasons": reasons, "erased_again": erased, "burnt_through": through.isoformat()}
        audit.append(connection, Action.RESTORE_ACCEPTED, "arterial privacy ledger", facts)
    with _alone(file):
        _write(file, _Memory())
    return reasons


def _file(settings: Settings) -> Path:
    return settings.data_dir / "ledger.json"


def _read(file: Path) -> _Memory:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Memory)
    except FileNotFoundError:
        return _Memory()
    except (OSError, msgspec.DecodeError) as error:
        message = (
            f"{file}, which remembers what was spent, cannot be read: {error}. Put it right, or take it away when the "
            "database was surely not restored"
        )
        raise ConfigurationError(message) from error


def _write(file: Path, memory: _Memory) -> None:
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        stream.write(msgspec.json.encode(memory))
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process of this machine at a time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _recent(day: date, newest: date) -> bool:
    return day > newest - timedelta(days=REMEMBERED_DAYS)


def _newest_checkpoint(settings: Settings) -> _Seen | None:
    files = sorted(settings.checkpoint_dir().glob("checkpoint-*.json"))
    if not files:
        return None
    try:
        return msgspec.json.decode(files[-1].read_bytes(), type=_Seen)
    except (OSError, msgspec.DecodeError) as error:
        message = f"the checkpoint {files[-1]} cannot be read: {error}. Take it away, or put it right"
        raise ConfigurationError(message) from error
