"""Code concerned with how a group of processes divides the topics: which messages any member may take, which only one. Pure.

A broker gives each message of a shared subscription to one member of the group [MQTT 5: 4.8.2], and nothing that is
retained. So what is retained, and what means nothing without the messages before it, is subscribed to plainly by member 1
alone. The filters never overlap, as a broker delivers once for each that matches: a configured filter that would reach
both kinds is replaced by the filters of the dialects it reaches.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ingest.decoders.catalogue import DIALECTS
from services.settings import Route, Settings

_FIRST: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriptions:
    """What a session subscribes to.

    Attributes:
        plain: topic filters of which it takes every message.
        shared: topic filters, `$share/<group>/` included, of which it takes its part.
        stale: filters of another division of the same topics, which an older session may still hold.

    """

    plain: tuple[str, ...]
    shared: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


def subscriptions(settings: Settings) -> Subscriptions:
    """What the process with these settings subscribes to: everything, or its part as a member of a group."""
    group = settings.mqtt_share_group
    whole, parted = divide(settings.mqtt_topics, settings.ingest_routes)
    if group is None:
        former = [*whole, *_shared(parted, group_of(settings))]
        plain = tuple(dict.fromkeys(settings.mqtt_topics))
        shared: tuple[str, ...] = ()
    else:
        former = [*settings.mqtt_topics, *whole]
        plain = whole if settings.mqtt_share_member == _FIRST else ()
        shared = _shared(parted, group)
    held = {*plain, *shared}
    return Subscriptions(
        plain=plain, shared=shared, stale=tuple(dict.fromkeys(one for one in former if one not in held))
    )


def group_of(settings: Settings) -> str:
    """The name of the group these processes form: as configured, else made of the client identifier.

    Where ingest has a password at the broker the name cannot be guessed without it. Some brokers (mosquitto with a file of
    topic rules) let every account join every group, and drop the messages it would get but may not read: a device that
    knew the name could make its share of all messages disappear.
    """
    if settings.mqtt_share_group is not None:
        return settings.mqtt_share_group
    name, password = (
        settings.mqtt_client_id,
        None if settings.mqtt_url is None else urlsplit(settings.broker_url()).password,
    )
    if password is None:
        return name
    return f"{name}-{hmac.digest(password.encode(), f'share {name}'.encode(), 'sha256').hex()[:24]}"


def as_member(settings: Settings, number: int) -> Settings:
    """The settings of one process of a group; alone in its process, with a client identifier of its own.

    Member 1 keeps the plain client identifier, so that a process that worked alone and becomes the first of a group (or
    the other way round) goes on with its session and with what the broker holds for it.
    """
    name, port = settings.mqtt_client_id, settings.ingest_metrics_port
    return settings.model_copy(
        update={
            "ingest_processes": 1,
            "mqtt_share_group": group_of(settings),
            "mqtt_share_member": number,
            "mqtt_client_id": name if number == _FIRST else f"{name}-{number}",
            "ingest_metrics_port": None if port is None else port + number - settings.mqtt_share_member,
        }
    )


def number_of(client_id: str, name: str) -> int | None:
    """Which member of the group of `name` a client identifier belongs to; None when it is another's."""
    if client_id == name:
        return _FIRST
    number = client_id.removeprefix(f"{name}-")
    return int(number) if number != client_id and number.isdecimal() and int(number) > _FIRST else None


def divide(topics: Iterable[str], rules: Sequence[Route] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide topic filters into those that one process must take whole and those that a group can share.

    No topic matches one of each. A filter is left as it is where all it reaches is of one kind.

    Args:
        topics: MQTT topic filters.
        rules: the operator's, of which dialect reads which topics.

    """
    readers = _readers(rules)
    whole: list[str] = []
    shared: list[str] = []
    for topic_filter in topics:
        reached = _reached(topic_filter, readers)
        if not any(is_whole for _, is_whole in reached):
            shared.append(topic_filter)
        elif any(is_whole and part == topic_filter for part, is_whole in reached):
            whole.append(topic_filter)
        else:
            for part, is_whole in reached:
                (whole if is_whole else shared).append(part)
    whole = _without_covered(whole)
    moved = True
    while moved:  # what is shared and meets what must stay whole stays whole with it
        meeting = [one for one in shared if any(intersection(one, other) for other in whole)]
        moved = bool(meeting)
        shared = [one for one in shared if one not in meeting]
        whole = _without_covered([*whole, *meeting])
    return tuple(whole), tuple(_without_covered(shared))


def intersection(one: str, other: str) -> str | None:
    """The topic filter of all topics that both filters match; None where there are none."""
    first, second = one.split("/"), other.split("/")
    if any(a[0] in {"+", "#"} and b[0].startswith("$") for a, b in ((first, second), (second, first))):
        return None  # wildcards do not match topics of the broker itself
    levels: list[str] = []
    for place in range(max(len(first), len(second))):
        a = first[place] if place < len(first) else None
        b = second[place] if place < len(second) else None
        if a == "#":
            return "/".join([*levels, *second[place:]])
        if b == "#":
            return "/".join([*levels, *first[place:]])
        if a is None or b is None or (a != b and "+" not in {a, b}):
            return None
        levels.append(b if a == "+" else a)
    return "/".join(levels)


def _readers(rules: Sequence[Route]) -> list[list[tuple[str, bool]]]:
    """What reads which topic filters, and whether it must have them whole: in groups, of which an earlier one decides."""
    own = [[(topics, topics in dialect.whole) for topics in dialect.topics] for dialect in DIALECTS.values()]
    return [own[0], *([(rule.topic, _is_whole(rule))] for rule in rules), *own[1:]]


def _is_whole(rule: Route) -> bool:
    """Whether a rule reads any topic as one that must stay whole."""
    read_as = rule.topic
    if rule.read_as is not None:
        levels = ["#" if "{#}" in level else "+" if "{" in level else level for level in rule.read_as.split("/")]
        read_as = "/".join(levels[: levels.index("#") + 1] if "#" in levels else levels)
    return any(intersection(read_as, one) for one in DIALECTS[rule.dialect].whole)


def _reached(topic_filter: str, readers: list[list[tuple[str, bool]]]) -> list[tuple[str, bool]]:
    """The filters of readers as far as this filter reaches them, and whether each must stay whole.

    A reader does not count where an earlier one reads the same topics.
    """
    found = []
    earlier: list[str] = []
    for reader in readers:
        for topics, is_whole in reader:
            part = intersection(topic_filter, topics)
            if part is not None and not any(_covers(one, part) for one in earlier):
                found.append((part, is_whole))
        earlier += [topics for topics, _ in reader]
    return found


def _without_covered(filters: list[str]) -> list[str]:
    """Filters of which none is contained in another."""
    distinct = list(dict.fromkeys(filters))
    return [one for one in distinct if not any(one != other and _covers(other, one) for other in distinct)]


def _covers(wide: str, narrow: str) -> bool:
    """Whether every topic that `narrow` matches is matched by `wide`."""
    return intersection(wide, narrow) == narrow


def _shared(filters: Iterable[str], group: str) -> tuple[str, ...]:
    return tuple(f"$share/{group}/{one}" for one in filters)
