"""Code concerned with knowing who objected without keeping a name: a fingerprint under a key that is not in the database."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from services.errors import ConfigurationError
from services.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectionKey:
    """The secret that ingest and the commands share."""

    secret: bytes

    @property
    def name(self) -> str:
        """What tells keys apart and gives nothing of them away."""
        return hmac.digest(self.secret, b"name of this key", hashlib.sha256).hex()[:16]

    def fingerprint(self, purpose: str, device: str) -> bytes:
        """HMAC-SHA256 of purpose and identifier; 32 bytes."""
        return hmac.digest(self.secret, f"{purpose}\n{device}".encode(), hashlib.sha256)


def load_objection_key(settings: Settings, *, make: bool) -> ObjectionKey | None:
    """The key of the settings, else that of the data folder, which is made when `make` says so; None where there is none.

    Raises:
        ConfigurationError: the file cannot be read or made.

    """
    if settings.privacy_objection_key is not None:
        return ObjectionKey(secret=settings.privacy_objection_key.get_secret_value().encode())
    file = settings.data_dir / "objection.key"
    try:
        if not file.exists():
            if not make:
                return None
            _make(file)
        return ObjectionKey(secret=file.read_bytes().strip())
    except OSError as error:
        message = f"the key of objections {file} cannot be used: {error.strerror}"
        raise ConfigurationError(message) from error


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secrets.token_hex(32))
