"""Code concerned with addresses in settings: URLs of databases and brokers, and ports."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr

Port = Annotated[int, Field(ge=1, le=65535)]


def known_scheme(url: SecretStr | None) -> SecretStr | None:
    """The URL of a database or broker; None where it is empty.

    Raises:
        ValueError: it is no such URL.

    """
    if url is None or not url.get_secret_value():
        return None
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in {"postgresql", "postgres", "mqtt", "mqtts"} or not parts.hostname:
        message = "a URL such as postgresql://user:password@host:5432/arterial or mqtt://host:1883 is needed"
        raise ValueError(message)
    return url


def without_user(url: str) -> str:
    """A URL without its user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
