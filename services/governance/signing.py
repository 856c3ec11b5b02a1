"""Code concerned with the key that signs checkpoints: Ed25519, a file that only its owner can read."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from services.errors import ConfigurationError, InputError, reason
from services.settings import Settings

_OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicKey:
    """What signatures are checked with; 32 bytes."""

    raw: bytes

    @property
    def name(self) -> str:
        """The first 16 hexadecimal digits of the key's SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the owner of the key has signed this message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def pem(self) -> bytes:
        """The key as a file that other programs read."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """The private key, and where its public half lies as a file."""

    private: Ed25519PrivateKey
    public_file: Path

    @property
    def public(self) -> PublicKey:
        """The half that may be shown to everyone."""
        return PublicKey(raw=self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """The signature of a message; 64 bytes."""
        return self.private.sign(message)


def key_file(settings: Settings) -> Path:
    """Where the private key is."""
    return settings.audit_key_file or settings.data_dir / "audit" / "signing-key.pem"


def load_or_make(settings: Settings) -> SigningKey:
    """The key of this installation, made when there is none.

    Raises:
        ConfigurationError: the file cannot be used, or others than its owner can read it.

    """
    file = key_file(settings)
    public_file = file.with_suffix(".pub.pem")
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as stream:
                stream.write(made)
        if file.stat().st_mode & _OTHERS:
            message = f"others can read the signing key {file}: `chmod 600 {file}`"
            raise ConfigurationError(message)
        private = load_pem_private_key(file.read_bytes(), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            message = f"{file} is not an Ed25519 key: take it away, and a new one is made"
            raise ConfigurationError(message)
        key = SigningKey(private=private, public_file=public_file)
        if not public_file.exists():
            public_file.write_bytes(key.public.pem())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        message = f"the signing key {file} cannot be used: {reason(error)}"
        raise ConfigurationError(message) from error
    return key


def load_public(file: Path) -> PublicKey:
    """A public key from its file.

    Raises:
        InputError: the file is not there or holds no Ed25519 public key.

    """
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        message = f"no public key can be read from {file}: {reason(error)}"
        raise InputError(message) from error
    if not isinstance(key, Ed25519PublicKey):
        message = f"{file} is not an Ed25519 public key"
        raise InputError(message)
    return PublicKey(raw=key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def known(settings: Settings) -> list[PublicKey]:
    """The public key of this installation, where there is one."""
    file = key_file(settings).with_suffix(".pub.pem")
    return [load_public(file)] if file.exists() else []
