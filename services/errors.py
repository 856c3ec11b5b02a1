"""Code concerned with the errors a person can meet.

The docstring of each is its general meaning; its message says what was wrong, where, and what to do.

ArterialError
├── ConfigurationError   exit code 2
├── InputError           exit code 1, HTTP 422
├── NotFoundError        exit code 1, HTTP 404
├── UnavailableError     exit code 1, HTTP 503
├── BudgetExhaustedError exit code 1, HTTP 429
└── StorageError         exit code 1, HTTP 500
"""

from __future__ import annotations

from typing import ClassVar


class ArterialError(Exception):
    """Something went wrong that a person can understand."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    @property
    def slug(self) -> str:
        """The stable name of this class of problem, used in problem documents: `NotFoundError` is `not-found`."""
        name = type(self).__name__.removesuffix("Error")
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class ConfigurationError(ArterialError):
    """A setting, a port, a folder or a file is not as Arterial needs it; nothing was started."""

    exit_code = 2


class InputError(ArterialError):
    """What was asked for, or handed over, cannot be used as it is."""

    http_status = 422


class NotFoundError(ArterialError):
    """There is nothing of that name."""

    http_status = 404


class UnavailableError(ArterialError):
    """A service that Arterial depends on does not answer."""

    http_status = 503


class BudgetExhaustedError(ArterialError):
    """The privacy budget of that day is spent; nothing more can be published about it."""

    http_status = 429

    @property
    def slug(self) -> str:
        """Named for people who know other budgets too."""
        return "privacy-budget-exhausted"


class StorageError(ArterialError):
    """The database is not in the state this version of Arterial needs."""


def reason(error: BaseException) -> str:
    """Why something could not be read or written, in words a person can use.

    `No such file or directory` instead of `[Errno 2] No such file or directory: 'x'`, `byte 5 is not UTF-8 text`,
    `it has no 'data'`; the first line of any other error.
    """
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not {error.encoding.upper()} text"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError) and error.args:
        return f"it has no {error.args[0]!r}"
    return (str(error).strip() or type(error).__name__).splitlines()[0]
