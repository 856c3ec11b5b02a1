"""Code concerned with checkpoints: signed statements of what the audit log was, made to be taken off the machine.

A checkpoint names the root of the Merkle tree over all rows, proves that the tree grew from that of the one before, and
lists the hashes of the rows in between, so that several together show which row differs.
"""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from services.errors import ConfigurationError, InputError, NotFoundError, reason
from services.governance import merkle
from services.governance.signing import PublicKey, SigningKey, load_or_make
from services.settings import Settings
from services.storage import audit
from services.storage.audit import Action
from services.storage.database import Connection

FORM: Final = "arterial audit checkpoint 1"


class Earlier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The checkpoint before, and the proof (RFC 6962, 2.1.2) that its rows begin this one's."""

    rows: int
    root: str
    consistency: tuple[str, ...]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was signed. Hashes are in hexadecimal digits, `public_key` and `signature` in Base64.

    `hashes` are those of the rows after the earlier checkpoint's, up to and with row `rows`.
    """

    form: str
    city: str
    at: datetime
    rows: int
    root: str
    earlier: Earlier | None
    hashes: tuple[str, ...]
    public_key: str
    signature: str

    def signed_bytes(self) -> bytes:
        """Everything but the signature, as canonical JSON."""
        facts = msgspec.to_builtins(self)
        del facts["signature"]
        return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def key(self) -> PublicKey:
        """The key it says it was signed with."""
        return PublicKey(raw=base64.b64decode(self.public_key))

    @property
    def is_signed(self) -> bool:
        """Whether the signature is that key's; who owns the key is another question."""
        return self.key.has_signed(self.signed_bytes(), base64.b64decode(self.signature))

    @property
    def first_hash_of(self) -> int:
        """The number of the row whose hash comes first in `hashes`."""
        return self.rows - len(self.hashes) + 1


def sign(settings: Settings, connection: Connection, actor: str) -> Checkpoint:
    """Sign the log as it is now, and note in it that this was done.

    Args:
        settings: where the key is; made when there is none.
        connection: as role jobs, in autocommit mode.
        actor: the process or command.

    Raises:
        NotFoundError: the log has no row yet.
        ConfigurationError: the key cannot be used.

    """
    key = load_or_make(settings)
    leaves = audit.hashes(connection, audit.size(connection))
    if not leaves:
        message = "the audit log has no row yet: run `arterial migrate`, which writes the first"
        raise NotFoundError(message)
    last = audit.newest(connection, most=1, action=Action.CHECKPOINT_SIGNED)
    signed = _statement(settings, key, leaves, int(json.loads(last[0].body)["rows"]) if last else 0)
    facts = {"rows": signed.rows, "root": signed.root, "key": key.public.name, "signature": signed.signature}
    with connection.transaction():
        audit.append(connection, Action.CHECKPOINT_SIGNED, actor, facts)
    return signed


def _statement(settings: Settings, key: SigningKey, leaves: list[bytes], earlier: int) -> Checkpoint:
    before = None
    if 0 < earlier <= len(leaves):
        proof = tuple(node.hex() for node in merkle.consistency_proof(leaves, earlier))
        before = Earlier(rows=earlier, root=merkle.root(leaves[:earlier]).hex(), consistency=proof)
    unsigned = Checkpoint(
        form=FORM,
        city=settings.city_name,
        at=datetime.now(UTC),
        rows=len(leaves),
        root=merkle.root(leaves).hex(),
        earlier=before,
        hashes=tuple(leaf.hex() for leaf in leaves[0 if before is None else earlier :]),
        public_key=base64.b64encode(key.public.raw).decode(),
        signature="",
    )
    return msgspec.structs.replace(unsigned, signature=base64.b64encode(key.sign(unsigned.signed_bytes())).decode())


def write(checkpoint: Checkpoint, file: Path) -> None:
    """Write it as one JSON file, whole or not at all.

    Raises:
        ConfigurationError: the file cannot be written.

    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        with part.open("wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(checkpoint)) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        message = f"the checkpoint cannot be written to {file}: {error.strerror}"
        raise ConfigurationError(message) from error


def read(file: Path) -> Checkpoint:
    """A checkpoint from its file; whether it is signed is for `services.governance.verify` to say.

    Raises:
        InputError: there is none in that file.

    """
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Checkpoint)
        base64.b64decode(found.public_key, validate=True)
        base64.b64decode(found.signature, validate=True)
        bytes.fromhex("".join(found.hashes) + found.root)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        message = f"{file} is not a checkpoint of the audit log: {reason(error)}"
        raise InputError(message) from error
    if found.form != FORM:
        message = f"{file} has the form {found.form!r}, this Arterial reads {FORM!r}"
        raise InputError(message)
    return found


def file_name(checkpoint: Checkpoint) -> str:
    """A name that sorts by age."""
    return f"checkpoint-{checkpoint.at:%Y%m%dT%H%M%SZ}.json"
