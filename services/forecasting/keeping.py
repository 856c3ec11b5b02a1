"""Code concerned with what a worker keeps of the learnt models on its own disk: mapped, not read, and never trusted alone.

The database is where learnt models live; a worker's copy is named after the digest of its content, so it is either the
same or it is not used, and removing the folder costs one transfer.
"""

from __future__ import annotations

import mmap
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from services.forecasting.freezing import StaleStateError, thaw
from services.storage import fitted
from services.storage.database import Connection
from services.storage.fitted import Learnt

_UNUSED_S: Final = 3 * 86_400
_PREFIX: Final = 16


def folder_of(data_dir: Path) -> Path:
    """Where copies lie."""
    return data_dir.expanduser() / "models"


def fetch(connection: Connection, learnt: Learnt, folder: Path) -> Any | None:
    """What has been learnt, from this machine's copy or the database; None when it is gone or of another version."""
    path = folder / f"{learnt.shard}-{learnt.digest[:_PREFIX]}"
    try:
        return thaw(_mapped(path))
    except FileNotFoundError:
        pass
    except StaleStateError:
        path.unlink(missing_ok=True)
    content = fitted.content(connection, learnt)
    if content is None:
        return None
    try:
        found = thaw(content)
    except StaleStateError:
        return None
    if keep(content, learnt, folder):
        with suppress(OSError, StaleStateError):
            return thaw(_mapped(path))
    return found


def keep(content: bytes, learnt: Learnt, folder: Path) -> bool:
    """Write a copy; whether it could be written, for a full or read-only disk is no reason not to forecast."""
    path = folder / f"{learnt.shard}-{learnt.digest[:_PREFIX]}"
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        return False
    return True


def tidy(folder: Path) -> None:
    """Remove the copies that have not been used for days; one that is mapped stays readable to whoever has it."""
    with suppress(OSError):
        for path in folder.iterdir():
            if time.time() - path.stat().st_atime > _UNUSED_S and time.time() - path.stat().st_mtime > _UNUSED_S:
                path.unlink(missing_ok=True)


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
