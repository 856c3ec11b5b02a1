"""Code concerned with which dialect reads a message: the operator's rules, the dialects' own topics, the payload's signature.

In this order, and the first that answers decides. Native topics are native always, which keeps the short way short. A rule
may read a message as if it had come on another topic, in the dialect's own form: that names sensor and kind. What no topic
tells is recognised only by exactly one signature, never for personal data, never below `city/v1/`, and never silently: it is
counted, and logged the first time. Otherwise it is a dead letter that names what it looks like.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Self

import msgspec
import structlog

from ingest.decoders import catalogue
from ingest.decoders.catalogue import DIALECTS, Dialect, is_personal, matches
from ingest.decoders.checks import Limits, shown
from ingest.decoders.memory import Memory
from ingest.decoders.recognition import Content, name_of, personal_marks
from ingest.decoders.relabelling import relabelled, target
from ingest.sharing import intersection
from services.domain import Decoded, Message, Rejected
from services.errors import ConfigurationError, InputError
from services.settings import Route, Settings

_NEVER_RECOGNISED: Final = ("city/v1/", "$")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_LONGEST_TOPIC: Final = 65_535
_SETTING: Final = "ARTERIAL_INGEST_ROUTES"

log = structlog.get_logger()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What reads a message.

    Attributes:
        dialect: its name; None when nothing does.
        topic: the topic it is read as.
        why: half a sentence for a person; of a refusal the reason.
        rule: the operator's rule, where one decided.
        recognised: whether the payload decided.
        personal: whether it carries personal data though its own topic does not tell.

    """

    dialect: str | None
    topic: str
    why: str
    rule: Route | None = None
    recognised: bool = False
    personal: bool = False


class Routing:
    """Finds the dialect of messages, and remembers it by topic."""

    def __init__(
        self,
        rules: Sequence[Route] = (),
        *,
        recognise: bool = True,
        topics: Sequence[str] = (),
        in_group: bool = False,
    ) -> None:
        """Take rules that were checked by `of`; the topic filters subscribed to are for the log.

        In a group other processes may get the messages before, so none is recognised that is read by means of them.
        """
        self._rules = tuple(rules)
        self._recognise = recognise
        self._topics = tuple(topics)
        self._in_group = in_group
        self._told: set[tuple[str, str]] = set()
        self._by_topic = lru_cache(maxsize=65_536)(self._of_topic)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The routing the settings describe.

        Raises:
            ConfigurationError: a rule cannot work; the message names it.

        """
        for place, rule in enumerate(settings.ingest_routes):
            problem = _problem(rule, settings.ingest_routes[:place], settings.mqtt_topics)
            if problem is not None:
                message = f"{_SETTING}, rule {place + 1} ({rule.topic}): {problem}"
                raise ConfigurationError(message)
        return cls(
            settings.ingest_routes,
            recognise=settings.ingest_recognise,
            topics=settings.mqtt_topics,
            in_group=settings.mqtt_share_group is not None,
        )

    def find(self, topic: str, payload: bytes) -> Found:
        """What reads a message with this topic and payload."""
        return self._by_topic(topic) or self._of_payload(topic, payload)

    def decode(self, message: Message, *, now_us: int, limits: Limits, memory: Memory) -> Decoded:
        """All that one message says, read by the dialect that was found; never raises for a message.

        Args:
            message: as received.
            now_us: the server's clock [µs since 1970 UTC].
            limits: sizes and times that are accepted.
            memory: what earlier messages of the session said.

        """
        if len(message.topic) > catalogue.LONGEST_TOPIC:
            said = catalogue.decode(message, now_us=now_us, limits=limits, memory=memory)
            return msgspec.structs.replace(said, personal=personal_marks(message.payload) is not None)
        found = self._by_topic(message.topic)
        if found is None:
            if len(message.payload) > limits.max_payload_bytes:
                said = catalogue.decode(message, now_us=now_us, limits=limits, memory=memory)
                return msgspec.structs.replace(said, personal=personal_marks(message.payload) is not None)
            found = self._of_payload(message.topic, message.payload)
            if found.dialect is not None:
                memory.recognised[found.dialect] += 1
                self._tell(message.topic, found)
        return read(message, found, now_us=now_us, limits=limits, memory=memory)

    def _of_topic(self, topic: str) -> Found | None:
        """What reads every message of a topic; None when the payload has to be looked at."""
        if not catalogue.is_utf8(topic):
            return Found(dialect=None, topic=topic, why=catalogue.no_dialect(topic), personal=is_personal(topic))
        own = catalogue.route(topic)
        if own != "native":
            for place, rule in enumerate(self._rules):
                if matches(topic, rule.topic):
                    read_as = topic if rule.read_as is None else _filled(rule.read_as, topic, rule.topic)
                    return Found(
                        dialect=rule.dialect,
                        topic=read_as,
                        why=f"rule {place + 1} of {_SETTING} says so for {rule.topic}",
                        rule=rule,
                        personal=DIALECTS[rule.dialect].personal or is_personal(read_as),
                    )
        if own is None:
            return None
        return Found(dialect=own, topic=topic, why=f"the topic {shown(topic)} is one of {own}")

    def _of_payload(self, topic: str, payload: bytes) -> Found:
        """What a message of an unknown topic looks like, and who reads it if that is certain."""
        unread = catalogue.no_dialect(topic)
        personal = personal_marks(payload)
        content = Content.of(payload)
        fitting = [one for one in DIALECTS.values() if one.signature is not None and one.signature.fits(content)]
        names = " and ".join(one.name for one in fitting)
        if personal is not None or is_personal(topic) or any(one.personal for one in fitting):
            what = (
                f"it looks like {names}" if fitting else f"it has {personal}" if personal else "its topic is personal"
            )
            why = f"{unread}; {what}, and personal data is never read without a rule in {_SETTING}"
            return Found(dialect=None, topic=topic, why=why, personal=True)
        if not fitting:
            return Found(dialect=None, topic=topic, why=f"{unread}, and the payload looks like none that is known")
        if len(fitting) > 1:
            why = f"{unread}; the payload looks like {names}: add a rule to {_SETTING} that says which"
            return Found(dialect=None, topic=topic, why=why)
        return self._of_likeness(topic, content, fitting[0], unread)

    def _of_likeness(self, topic: str, content: Content, dialect: Dialect, unread: str) -> Found:
        signature = dialect.signature
        read_as = None if signature is None or signature.topic is None else signature.topic(name_of(topic), content)
        likeness = f"{unread}; the payload looks like {dialect.name}"
        divided = self._in_group and read_as is not None and any(matches(read_as, one) for one in dialect.whole)
        if read_as is None or divided or topic.startswith(_NEVER_RECOGNISED):
            why = f"{likeness}: add a rule to {_SETTING} that reads it as {_form(dialect)}"
            return Found(dialect=None, topic=topic, why=why)
        if not self._recognise:
            return Found(dialect=None, topic=topic, why=f"{likeness}: add a rule to {_SETTING} if it is")
        why = f"the payload has {signature.says}" if signature is not None else ""
        return Found(dialect=dialect.name, topic=read_as, why=why, recognised=True)

    def _tell(self, topic: str, found: Found) -> None:
        """Log the first message that a dialect gets by recognition from each topic filter."""
        brought_by = next((one for one in self._topics if matches(topic, one)), "")
        if (found.dialect or "", brought_by) not in self._told:
            self._told.add((found.dialect or "", brought_by))
            log.info(
                "messages of a topic that no dialect has were recognised: add a rule to make it explicit",
                dialect=found.dialect,
                because=found.why,
                topic=topic,
                topic_filter=brought_by,
                setting=_SETTING,
                rule={"topic": topic, "dialect": found.dialect, "read_as": found.topic},
            )


def read(message: Message, found: Found, *, now_us: int, limits: Limits, memory: Memory) -> Decoded:
    """All that a message says, read as `Routing.find` has found; never raises for a message."""
    if found.dialect is None:
        memory.heard["personal" if found.personal else "none"] += 1
        return Decoded(rejected=(Rejected(reason=found.why),), personal=found.personal)
    if found.topic != message.topic:
        message = msgspec.structs.replace(message, topic=found.topic)
    said = catalogue.decode(message, found.dialect, now_us=now_us, limits=limits, memory=memory)
    if found.rule is not None:
        said = relabelled(said, found.rule.names, found.rule.units)
    if found.recognised:
        said = msgspec.structs.replace(said, rejected=_explained(said.rejected, found.dialect))
    return msgspec.structs.replace(said, personal=True) if found.personal else said


def _problem(rule: Route, earlier: Sequence[Route], topics: Sequence[str]) -> str | None:
    """Why a rule cannot work; None when it can."""
    if rule.dialect not in DIALECTS:
        near = difflib.get_close_matches(rule.dialect, DIALECTS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(DIALECTS)}"
        return f"there is no dialect {rule.dialect!r}: {hint}"
    wrong = _malformed(rule.topic)
    if wrong is not None:
        return f"the topic filter {wrong}"
    if any(intersection(rule.topic, own) == rule.topic for own in DIALECTS["native"].topics):
        return "these topics are native and are never read as anything else"
    for place, other in enumerate(earlier):
        if intersection(rule.topic, other.topic) == rule.topic:
            return f"it never applies, as rule {place + 1} ({other.topic}) comes first and takes the same topics"
    if not any(intersection(rule.topic, one) is not None for one in topics):
        return "no topic filter of ARTERIAL_MQTT_TOPICS brings such topics: add it there"
    return _unreadable(rule) or _unlabelled(rule)


def _malformed(topic_filter: str) -> str | None:
    """What is wrong with an MQTT topic filter; None when it is well formed."""
    levels = topic_filter.split("/")
    if not topic_filter or len(topic_filter.encode(errors="replace")) > _LONGEST_TOPIC or "\0" in topic_filter:
        return "must have 1 to 65,535 bytes, none of them NUL"
    if "#" in topic_filter and ("#" in "/".join(levels[:-1]) or levels[-1] != "#"):
        return "has a # that is not the whole last level"
    if any("+" in level and level != "+" for level in levels):
        return "has a + that is not a whole level"
    return None


def _unreadable(rule: Route) -> str | None:
    """Why the messages of a rule would have a topic that its dialect cannot read; None when it can."""
    dialect = DIALECTS[rule.dialect]
    sample = "/".join("x" if level in {"+", "#"} else level for level in rule.topic.split("/"))
    if rule.read_as is None:
        if any(intersection(rule.topic, own) is not None for own in dialect.topics):
            return None
        return f"{dialect.name} takes names from its topics, {_form(dialect)}: say with read_as how to read these"
    if "+" in rule.read_as or "#" in _PLACE.sub("", rule.read_as):
        return f"read_as is a topic, not a filter: write {{1}} for what the first + of {rule.topic} stands for"
    wildcards = [level for level in rule.topic.split("/") if level in {"+", "#"}]
    known = {*(str(place + 1) for place in range(wildcards.count("+"))), *(["#"] if "#" in wildcards else [])}
    for place in _PLACE.findall(rule.read_as):
        if place not in known:
            has = f"only {', '.join(f'{{{one}}}' for one in sorted(known))}" if known else "no wildcard"
            return f"read_as has {{{place}}}, but the topic filter has {has}"
    if not catalogue.reads(rule.dialect, _filled(rule.read_as, sample, rule.topic)):
        return f"read_as is {shown(rule.read_as)}, but a topic of {dialect.name} is expected: {_form(dialect)}"
    return None


def _unlabelled(rule: Route) -> str | None:
    """Why names and units of a rule cannot be given; None when they can."""
    try:
        for name in {*rule.names, *rule.units}:
            target(rule.names.get(name, name), rule.units.get(name))
    except InputError as refusal:
        return str(refusal)
    return None


def _filled(template: str, topic: str, topic_filter: str) -> str:
    """The topic a message is read as: {1} is the level of the filter's first +, {#} what its # stands for."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    values = [level for level, want in zip(levels, wanted, strict=False) if want == "+"]
    rest = "/".join(levels[len(wanted) - 1 :])
    return _PLACE.sub(lambda place: rest if place[1] == "#" else values[int(place[1]) - 1], template)


def _form(dialect: Dialect) -> str:
    return " or ".join(dialect.topics)


def _explained(rejected: Sequence[Rejected], dialect: str) -> tuple[Rejected, ...]:
    return tuple(
        msgspec.structs.replace(one, reason=f"recognised as {dialect} by its content, but {one.reason}")
        for one in rejected
    )
