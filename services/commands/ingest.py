"""`arterial ingest`: receive and store. `arterial decode`: see what a payload says, or why it says nothing."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from services.commands.output import AsJson, report

_SWITCH_S = 0.0005
"""A tenth of Python's own: measured in turn with it, a fifth more messages a second on two cores."""


def ingest(
    *,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="How many processes divide the messages; by default as configured."),
    ] = None,
    retire: Annotated[
        bool,
        typer.Option("--retire", help="Leave the group for good: take what the broker holds for this member, end."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Receive readings from the broker and store them until stopped by Ctrl-C or SIGTERM."""
    from dataclasses import asdict

    from ingest import service
    from ingest.sharing import as_member
    from services import ingest_group
    from services.errors import ConfigurationError
    from services.governance import configuration
    from services.logging import configure_logging
    from services.settings import load_settings

    settings = load_settings({} if processes is None else {"ingest_processes": processes})
    if retire and settings.mqtt_share_group is None:
        message = (
            "a member of a group retires: set ARTERIAL_MQTT_SHARE_GROUP and ARTERIAL_MQTT_SHARE_MEMBER to say which"
        )
        raise ConfigurationError(message)
    alone = settings.ingest_processes == 1
    if alone and settings.mqtt_share_group is not None:
        settings = as_member(settings, settings.mqtt_share_member)
    configure_logging(settings, "ingest" if alone else "ingest-group")
    settings.broker_url()  # without a broker there is nothing to begin, nor to write down
    configuration.note(settings, "ingest")
    # Three threads share the interpreter; one that comes back from the network or the database waits this long for it.
    sys.setswitchinterval(_SWITCH_S)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    leaving = ingest_group.leftovers(settings)
    if alone:
        if leaving:
            ingest_group.run(settings, stop, staying=[], leaving=leaving)
        counts = service.run(settings, stop, retiring=retire)
        if retire and not stop.is_set():
            ingest_group.forget(settings, settings.mqtt_client_id)
    else:
        counts = ingest_group.run(settings, stop, staying=ingest_group.members(settings), leaving=leaving)
    line = (
        f"Received {counts.received:,} messages: {counts.stored:,} stored, {counts.duplicate:,} duplicates, "
        f"{counts.dead_lettered:,} dead letters, {counts.spooled:,} in the spool, {counts.in_flight:,} left to the broker."
    )
    report(
        asdict(counts),
        [line],
        as_json=as_json,
    )


def decode(
    *,
    dialect: Annotated[
        str | None, typer.Option(help="The dialect; by default the topic decides, else the payload.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="The topic the payload was sent to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read one payload from standard input and show the rows it makes, or the exact reason why not."""
    import time

    import msgspec

    from ingest.decoders import catalogue
    from ingest.decoders.memory import Memory
    from ingest.pipeline import limits_of
    from ingest.routing import Routing, read
    from services.domain import Message
    from services.errors import InputError
    from services.settings import load_settings

    settings = load_settings()
    routing = Routing() if topic is None else Routing.of(settings)
    now_us, limits = time.time_ns() // 1_000, limits_of(settings)
    chosen = catalogue.DIALECTS.get(dialect or "")
    where = topic or ("example" if chosen is None else chosen.example)
    sent = Message(topic=where, payload=sys.stdin.buffer.read(), received_us=now_us)
    if dialect is not None:
        said = catalogue.decode(sent, dialect, now_us=now_us, limits=limits)
        found = None
    else:
        found = routing.find(where, sent.payload)
        if topic is None and found.dialect is None:
            message = (
                f"name the topic with --topic, or the dialect with --dialect: {', '.join(catalogue.DIALECTS)}; "
                f"without them {found.why}"
            )
            raise InputError(message)
        said = read(sent, found, now_us=now_us, limits=limits, memory=Memory())
    read_by = None if found is None else {"dialect": found.dialect, "because": found.why}
    told = found is not None and (found.recognised or found.rule is not None)
    how = [f"read as {found.dialect}: {found.why}"] if found is not None and told else []
    rows = [repr(row) for row in (*said.readings, *said.meta, *said.status)]
    refusals = [
        f"refused: {r.reason}" if r.item is None else f"item {r.item} refused: {r.reason}" for r in said.rejected
    ]
    document = {**msgspec.to_builtins(said), "read_by": read_by or {"dialect": dialect, "because": "--dialect says so"}}
    report(document, [*how, *rows, *refusals], as_json=as_json)
    if said.rejected:
        raise typer.Exit(1)
