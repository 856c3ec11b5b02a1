"""Code concerned with secrets in files: `ARTERIAL_X_FILE` names a file that holds the secret `ARTERIAL_X`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from pydantic_settings import PydanticBaseSettingsSource

from services.errors import ConfigurationError

PREFIX: Final = "ARTERIAL_"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `ARTERIAL_X_FILE` for each secret X."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """The content of the named file, without the line end."""
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if path is None or "SecretStr" not in str(field.annotation):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except OSError as error:
            message = f"{PREFIX}{field_name.upper()}_FILE names {path}, which cannot be read: {error.strerror}"
            raise ConfigurationError(message) from error

    def __call__(self) -> dict[str, Any]:
        """All secrets given as files."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}
