"""Code concerned with which data sets there are: one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.errors import InputError
from services.forecasting.datasets import dcrnn, ett, gb_load, i5, los_loop, m_dense
from services.forecasting.datasets.berlin import BERLIN_PROTOCOLS, berlin
from services.forecasting.datasets.recording import DataSet, Options, Recording
from services.forecasting.datasets.wide_csv import wide_csv

DATASETS: Final = {
    one.name: one
    for one in (
        DataSet(name="berlin_mq", protocols=BERLIN_PROTOCOLS, load=berlin),
        DataSet(name="gb_load", protocols=gb_load.PROTOCOLS, load=gb_load.gb_load),
        DataSet(name="m_dense", protocols=m_dense.PROTOCOLS, load=m_dense.m_dense),
        DataSet(name="ett", protocols=(ett.LTSF,), load=ett.ett),
        DataSet(name="los_loop", protocols=los_loop.PROTOCOLS, load=los_loop.los_loop),
        DataSet(name="i5_sandiego", protocols=i5.PROTOCOLS, load=i5.i5),
        DataSet(name="metr_la", protocols=(dcrnn.MASKED,), load=dcrnn.metr_la),
        DataSet(name="pems_bay", protocols=(dcrnn.MASKED,), load=dcrnn.pems_bay),
        DataSet(name="wide-csv", protocols=("rolling",), load=wide_csv),
    )
}


def load(name: str, path: Path, protocol: str | None, options: Options) -> Recording:
    """Read a recording for one of its protocols; None is the data set's first.

    Raises:
        InputError: there is no such data set or protocol, or the path does not hold it.

    """
    found = DATASETS.get(name)
    if found is None:
        message = f"--dataset {name!r}: there are {', '.join(DATASETS)}"
        raise InputError(message)
    chosen = protocol or found.protocols[0]
    if chosen not in found.protocols:
        message = f"--protocol {chosen!r}: {name} has {', '.join(found.protocols)}"
        raise InputError(message)
    return found.load(path, chosen, options)
