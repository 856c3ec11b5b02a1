"""Code concerned with Sparkplug B on `spBv1.0/<group>/<NBIRTH|NDATA|NDEATH|DBIRTH|DDATA|DDEATH>/<edge node>[/<device>]`.

Protocol buffers by the field numbers of the specification. A birth names each metric and may give it an alias, a type and
a unit (property `engUnit`); data may then carry the alias alone. Births are kept in the memory per edge node: until one has been seen,
an alias without a name is refused. Sequence numbers run from 0 to 255 and around per edge node: missing ones are counted
in the memory's `gaps`, and do not become the `seq` of a reading, as they start again. Historical metrics (`is_historical`) are stored
at their own times like any late reading; a null metric (`is_null`) says that there is no value. The device is
`spb-<group>:<edge node>[:<device>]`. Commands, booleans, texts and data sets are not measurements.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from ingest.decoders import protobuf_wire as wire
from ingest.decoders.checks import Window, counted_moment, number, shown, within
from ingest.decoders.columns import by_kind, joined, with_unit
from ingest.decoders.memory import Memory
from services.domain import Decoded, Kind, Message, Reading, Rejected, SensorStatus
from services.errors import InputError

_SIGNED_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64}
_OWN: Final = ("Node Control/", "Device Control/", "Node Info/", "Properties/")
_NUMERIC: Final = frozenset(range(1, 11))
_MOST_METRICS: Final = 10_000
_MOST_KNOWN: Final = 100_000
_LONGEST_NAME: Final = 256
_CIRCLE: Final = 256


class _Metric(msgspec.Struct, kw_only=True):
    """A metric as it was sent; `value` is None when it is null or not a number."""

    name: str | None = None
    alias: int | None = None
    stamp: int | None = None
    datatype: int | None = None
    is_null: bool = False
    unit: str | None = None
    value: int | float | None = None


class _Birth(NamedTuple):
    device: str
    name: str
    datatype: int | None
    unit: str | None


class _Node(msgspec.Struct):
    """What is known of an edge node: its metrics by alias and by device and name, and the last sequence number."""

    aliases: dict[int, _Birth]
    names: dict[tuple[str, str], _Birth]
    seq: int | None = None
    weight: int = 1


def decode(message: Message, window: Window, memory: Memory) -> Decoded:
    """All that a message of an edge node or device says.

    Raises:
        InputError: it is not a Sparkplug payload.

    """
    _, group, purpose, edge, *rest = message.topic.split("/")
    device = rest[0] if rest else ""
    if (purpose[0] == "D") is not bool(rest):
        reason = (
            f"{purpose} is sent by {'a device' if purpose[0] == 'D' else 'an edge node'}, but the topic names another"
        )
        raise InputError(reason)
    sensor = joined("spb", group, edge, *rest)
    known = memory.recall("sparkplug", f"{group}/{edge}")
    node = known if isinstance(known, _Node) else _Node({}, {})
    stamp, seq, metrics = _payload(message.payload)
    if purpose.endswith("DEATH"):
        return Decoded(status=(SensorStatus(sensor=sensor, kind=Kind.ENVIRONMENT, online=False),))
    if purpose == "NBIRTH":
        node = _Node({}, {})
    _count(node, seq, memory)
    if purpose.endswith("BIRTH"):
        _learn(node, device, metrics)
    memory.keep("sparkplug", f"{group}/{edge}", node, weight=node.weight)
    status = [SensorStatus(sensor=sensor, kind=Kind.ENVIRONMENT, online=True)] if purpose.endswith("BIRTH") else []
    moments: dict[int, dict[str, float]] = {}
    rejected: list[Rejected] = []
    for item, metric in enumerate(metrics):
        try:
            _read(node, device, metric, stamp, message.received_us, window, moments)
        except InputError as refusal:
            rejected.append(Rejected(reason=str(refusal), item=item))
    found: list[Reading] = []
    for observed_us, values in moments.items():
        found += by_kind(sensor, observed_us, values)
    return Decoded(readings=tuple(found), status=tuple(status), rejected=tuple(rejected))


def _payload(message: bytes) -> tuple[int | None, int | None, list[_Metric]]:
    """Timestamp [ms since 1970], sequence number and metrics of a payload."""
    stamp = seq = None
    metrics: list[_Metric] = []
    for field, value in wire.fields(message):
        if field == 1:
            stamp = wire.integer(value)
        elif field == 2:
            metrics.append(_metric(wire.octets(value)))
        elif field == 3:
            seq = wire.integer(value)
        if len(metrics) > _MOST_METRICS:
            reason = f"the payload has more than {_MOST_METRICS:,} metrics"
            raise InputError(reason)
    return stamp, seq, metrics


def _metric(message: bytes) -> _Metric:
    metric = _Metric()
    for field, value in wire.fields(message):
        if field == 1:
            metric.name = wire.text(value)
        elif field == 2:
            metric.alias = wire.integer(value)
        elif field == 3:
            metric.stamp = wire.integer(value)
        elif field == 4:
            metric.datatype = wire.integer(value)
        elif field == 7:
            metric.is_null = bool(wire.integer(value))
        elif field == 9:
            metric.unit = _unit(wire.octets(value))
        elif field in (10, 11):
            metric.value = wire.integer(value)
        elif field in (12, 13):
            metric.value = wire.double(value)
    return metric


def _unit(message: bytes) -> str | None:
    """The property `engUnit` of a property set: keys (1) and values (2) in the same order, texts in field 8."""
    keys: list[str] = []
    values: list[bytes] = []
    for field, value in wire.fields(message):
        if field == 1:
            keys.append(wire.text(value))
        elif field == 2:
            values.append(wire.octets(value))
    for key, content in zip(keys, values, strict=False):
        if key.lower() == "engunit":
            return next((wire.text(value)[:40] for field, value in wire.fields(content) if field == 8), None)
    return None


def _count(node: _Node, seq: int | None, memory: Memory) -> None:
    """Compare with the number before: what lies less than half a circle ahead was missed, behind is late or again."""
    if seq is None:
        return
    if seq >= _CIRCLE:
        reason = f"seq is {seq}, but it lies between 0 and 255"
        raise InputError(reason)
    ahead = 1 if node.seq is None else (seq - node.seq) % _CIRCLE
    if 0 < ahead < _CIRCLE // 2:
        memory.gaps += ahead - 1
        node.seq = seq


def _learn(node: _Node, device: str, metrics: list[_Metric]) -> None:
    for key in [key for key in node.names if key[0] == device]:
        del node.names[key]
    for alias in [alias for alias, birth in node.aliases.items() if birth.device == device]:
        del node.aliases[alias]
    if len(node.names) + len(node.aliases) + 2 * len(metrics) > _MOST_KNOWN:
        reason = f"the births of the edge node have more than {_MOST_KNOWN:,} names and aliases"
        raise InputError(reason)
    for metric in metrics:
        if metric.name and len(metric.name) <= _LONGEST_NAME:
            birth = _Birth(device, metric.name, metric.datatype, metric.unit)
            node.names[device, metric.name] = birth
            if metric.alias is not None:
                node.aliases[metric.alias] = birth
    node.weight = 1 + len(node.aliases) + sum(3 + len(name) // 25 for _, name in node.names)


def _read(
    node: _Node,
    device: str,
    metric: _Metric,
    stamp: int | None,
    received_us: int,
    window: Window,
    moments: dict[int, dict[str, float]],
) -> None:
    """Add the value of one metric at its moment; what is not a measurement is passed over."""
    birth = _birth(node, device, metric)
    if metric.is_null or metric.value is None or birth.name == "bdSeq" or birth.name.startswith(_OWN):
        return
    datatype = metric.datatype or birth.datatype
    if isinstance(metric.value, int) and datatype is None:
        message = f"the metric {shown(birth.name)} has no type, and no birth that tells it has been received"
        raise InputError(message)
    if datatype is not None and datatype not in _NUMERIC:
        return
    sent = _signed(metric.value, datatype) if isinstance(metric.value, int) else metric.value
    value = number(shown(birth.name), sent, low=-1.7e308, high=1.7e308)
    moment = metric.stamp or stamp
    observed_us = within(received_us, window) if moment is None else counted_moment(moment, "milliseconds", window)
    quantity, value = with_unit(birth.name, metric.unit or birth.unit, value)
    values = moments.setdefault(observed_us, {})
    if values.setdefault(quantity, value) != value:
        message = f"{quantity} is given twice for the same time; the first is kept"
        raise InputError(message)


def _birth(node: _Node, device: str, metric: _Metric) -> _Birth:
    """What the birth said of the metric, or the metric itself when it brings its own name."""
    if metric.name:
        if len(metric.name) > _LONGEST_NAME:
            message = f"the name of a metric has {len(metric.name):,} characters, the limit is {_LONGEST_NAME}"
            raise InputError(message)
        return node.names.get((device, metric.name)) or _Birth(device, metric.name, metric.datatype, metric.unit)
    if metric.alias is None:
        message = "the metric has neither a name nor an alias"
        raise InputError(message)
    birth = node.aliases.get(metric.alias)
    if birth is None or birth.device != device:
        message = f"the alias {metric.alias} is unknown: no birth that names it has been received, ask for a rebirth"
        raise InputError(message)
    return birth


def _signed(bits: int, datatype: int | None) -> int:
    """An integer of a signed type, which travels as the unsigned integer of its bits."""
    size = _SIGNED_BITS.get(datatype or 0)
    if size is None:
        return bits
    bits &= (1 << size) - 1
    return bits - (1 << size) if bits >> (size - 1) else bits
