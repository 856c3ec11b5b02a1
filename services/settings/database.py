"""Code concerned with the settings of the database: where it is, and a password for each role."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from services.errors import ConfigurationError
from services.settings.addresses import known_scheme, without_user

Role = Literal["ingest", "jobs", "api"]


class DatabaseSettings(BaseModel):
    """Where PostgreSQL is."""

    model_config = ConfigDict(frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL as its owner, used to migrate: postgresql://user:password@host:5432/arterial. "
        "Empty: `arterial up` starts an embedded one.",
    )
    database_password_ingest: SecretStr | None = Field(
        default=None, description="Password of role arterial_ingest, which writes readings."
    )
    database_password_jobs: SecretStr | None = Field(
        default=None, description="Password of role arterial_jobs, which forecasts and releases."
    )
    database_password_api: SecretStr | None = Field(
        default=None, description="Password of role arterial_api, which reads what may be shown."
    )

    @field_validator("database_url")
    @classmethod
    def _database_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        return known_scheme(url)

    def owner_dsn(self) -> str:
        """The database as its owner.

        Raises:
            ConfigurationError: no database is configured.

        """
        if self.database_url is None:
            message = (
                "no database is configured: set ARTERIAL_DATABASE_URL, "
                "or start everything on this machine with `arterial up`"
            )
            raise ConfigurationError(message)
        return self.database_url.get_secret_value()

    def role_dsn(self, role: Role) -> str:
        """The database as role `arterial_<role>`.

        Raises:
            ConfigurationError: no database, or no password of that role, is configured.

        """
        parts = urlsplit(without_user(self.owner_dsn()))
        secret: SecretStr | None = getattr(self, f"database_password_{role}")
        if secret is None:
            message = (
                f"the password of role arterial_{role} is not configured: set ARTERIAL_DATABASE_PASSWORD_{role.upper()}"
            )
            raise ConfigurationError(message)
        netloc = f"arterial_{role}:{quote(secret.get_secret_value(), safe='')}@{parts.netloc}"
        return urlunsplit(parts._replace(netloc=netloc))
