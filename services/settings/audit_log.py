"""Code concerned with the settings of the audit log: the key that signs it, and where checkpoints go."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class AuditLogSettings(BaseModel):
    """How the log is signed."""

    model_config = ConfigDict(frozen=True)

    audit_key_file: Path | None = Field(
        default=None,
        description="The private key that signs checkpoints of the audit log, readable by its owner only; made when it is not "
        "there. Empty: DATA_DIR/audit/signing-key.pem.",
    )
    audit_checkpoint_dir: Path | None = Field(
        default=None,
        description="Where a signed checkpoint of the audit log is written every night; a folder on another machine, for only "
        "what is kept elsewhere proves anything. Empty: DATA_DIR/audit/checkpoints.",
    )
