"""Which trouble of the database passes, and which is the message's own fault."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from ingest.persistence import is_passing


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.InterfaceError("the connection is closed"),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.SerializationFailure(),
        errors.DeadlockDetected(),
        errors.DiskFull(),
        errors.LockNotAvailable(),
        errors.QueryCanceled(),
        errors.IoError(),
        errors.ReadOnlySqlTransaction(),
    ],
)
def test_waited_out(error: psycopg.Error) -> None:
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.DataError("no code, found before it was sent"),
        errors.NumericValueOutOfRange(),
        errors.CheckViolation(),
        errors.UniqueViolation(),
        errors.InsufficientPrivilege(),
        errors.UndefinedTable(),
    ],
)
def test_bisected_out(error: psycopg.Error) -> None:
    assert not is_passing(error)
