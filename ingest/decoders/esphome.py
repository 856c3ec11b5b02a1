"""Code concerned with ESPHome on `esphome/<node>/sensor/<name>/state`, a plain number, and `esphome/<node>/status`.

ESPHome's default prefix is the bare node name, which any topic could be: set `topic_prefix: esphome/<node>` in the
node's `mqtt:` section. The device is `esphome-<node>`, the quantity is the name; a name that ends in a unit is converted
(`_w` and `_wh` become the columns of `esphome-<node>:energy` when the name is `power_w` or `energy_wh`). The message has
no time, so the receipt is taken, and a retained message is refused (set `retain: false`).
"""

from __future__ import annotations

from typing import Final

from ingest.decoders.checks import Window, is_quantity, quantity_name, shown, text_number, within
from ingest.decoders.columns import by_kind, joined
from services.domain import Decoded, Kind, Message, SensorStatus
from services.errors import InputError

_ENDINGS: Final = {"_w": "_kw", "_wh": "_kwh"}


def decode(message: Message, window: Window) -> Decoded:
    """The one value, or whether the node is connected.

    Raises:
        InputError: it is not a number, or its time is unknown.

    """
    levels = message.topic.split("/")
    sensor = joined("esphome", levels[1])
    try:
        text = message.payload.decode("ascii").strip()
    except UnicodeDecodeError:
        reason = f"the payload {shown(message.payload[:20])} is not a plain number"
        raise InputError(reason) from None
    if levels[2] == "status":
        if text not in ("online", "offline"):
            reason = f"the status is {shown(text)}, but online or offline is expected"
            raise InputError(reason)
        return Decoded(status=(SensorStatus(sensor=sensor, kind=Kind.ENVIRONMENT, online=text == "online"),))
    if text.lower() == "nan":
        reason = "the node says that it has no value (nan)"
        raise InputError(reason)
    if message.retained:
        reason = "the message was retained: its time is unknown"
        raise InputError(reason)
    quantity, value = quantity_name(levels[3]), text_number("the payload", text)
    for ending, stored in _ENDINGS.items():
        if quantity.endswith(ending):
            quantity, value = quantity.removesuffix(ending) + stored, value / 1000
    if not is_quantity(quantity):
        reason = f"the name {shown(levels[3])} cannot be stored as a quantity"
        raise InputError(reason)
    return Decoded(readings=tuple(by_kind(sensor, within(message.received_us, window), {quantity: value})))
