"""A group divides the topics so that no message is lost, none comes twice, and what belongs together stays together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoders.catalogue import DIALECTS, matches, route
from ingest.routing import Routing
from ingest.sharing import Subscriptions, as_member, divide, group_of, intersection, number_of, subscriptions
from services.errors import ConfigurationError
from services.settings import Route, load_settings

LEVELS = st.sampled_from(["a", "b", ""])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
FILTERS = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.sampled_from(["a", "b", "", "+"]), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
)
EXAMPLES = [dialect.example for dialect in DIALECTS.values()]
CONFIGURED = st.lists(
    st.sampled_from(
        [
            "#",
            "city/v1/#",
            "city/v1/+/+/telemetry",
            "city/v1/traffic/+/#",
            "+/events/rpc",
            "tms-v2/#",
            "tele/+/SENSOR",
            "tele/#",
            "spBv1.0/#",
            "spBv1.0/+/DDATA/#",
            "dsmr/#",
            "v3/+/devices/+/up",
            "+/+/devices/#",
            "mine/#",
            "zigbee2mqtt/#",
            "esphome/#",
            "telraam/+",
        ]
    ),
    min_size=1,
    max_size=6,
)
MORE_TOPICS = [
    *EXAMPLES,
    "city/v1/traffic/a/meta",
    "city/v1/traffic/a/status",
    "tele/a/LWT",
    "zigbee2mqtt/a/availability",
    "spBv1.0/g/NBIRTH/e",
    "tms-v2/events/rpc",
]


@given(FILTERS, FILTERS, TOPICS)
def test_an_intersection_matches_what_both_match(one: str, other: str, topic: str) -> None:
    both = intersection(one, other)
    assert (both is not None and matches(topic, both)) == (matches(topic, one) and matches(topic, other))


@given(CONFIGURED)
def test_every_topic_of_a_dialect_comes_once_and_whole_ones_to_one_process(configured: list[str]) -> None:
    whole, shared = divide(configured)
    for topic in MORE_TOPICS:
        plain = [one for one in whole if matches(topic, one)]
        parted = [one for one in shared if matches(topic, one)]
        wanted = any(matches(topic, one) for one in configured)
        assert (len(plain) + len(parted) >= 1) == wanted
        assert not (plain and parted)
        name = route(topic)
        if wanted and name and any(matches(topic, one) for one in DIALECTS[name].whole):
            assert plain


def test_the_default_topics_of_a_group() -> None:
    whole, shared = divide(load_settings().mqtt_topics)
    assert whole == ("city/v1/+/+/status", "city/v1/+/+/meta")
    assert shared == (
        "city/v1/+/+/telemetry",
        "city/v1/+/+/claim",
        "city/v1/+/+/senml",
        "city/v1/+/+/senml-cbor",
        "v3/+/devices/+/up",
        "tms-v2/#",
    )


def test_alone_a_process_subscribes_to_what_is_configured_and_leaves_a_former_group() -> None:
    found = subscriptions(load_settings({"mqtt_topics": ("city/v1/#",)}))
    assert (found.plain, found.shared) == (("city/v1/#",), ())
    assert "$share/arterial-ingest/city/v1/+/+/telemetry" in found.stale
    assert "city/v1/+/+/meta" in found.stale


def test_the_first_of_a_group_takes_what_cannot_be_divided_and_the_others_their_part() -> None:
    chosen = {"mqtt_topics": ("city/v1/+/+/telemetry", "spBv1.0/+/DDATA/#"), "mqtt_share_group": "g"}
    shared = ("$share/g/city/v1/+/+/telemetry",)
    first, second = (subscriptions(load_settings({**chosen, "mqtt_share_member": member})) for member in (1, 2))
    assert first == Subscriptions(
        plain=("spBv1.0/+/DDATA/+/+",), shared=shared, stale=("city/v1/+/+/telemetry", "spBv1.0/+/DDATA/#")
    )
    assert (second.plain, second.shared) == ((), shared)


def test_rules_decide_what_stays_whole_before_the_topics_of_dialects_do() -> None:
    rules = [
        Route(topic="depot/+/rpc", dialect="shelly", read_as="{1}/events/rpc"),
        Route(topic="depot/+/plain", dialect="native", read_as="city/v1/energy/{1}/telemetry"),
        Route(topic="tms-v2/+/+", dialect="fintraffic_tms"),
    ]
    assert divide(["depot/#", "tms-v2/#"], rules) == (("depot/+/rpc",), ("depot/+/plain", "tms-v2/#"))
    assert divide(["depot/+/plain"], rules) == ((), ("depot/+/plain",))


def test_in_a_group_nothing_is_recognised_that_is_read_by_means_of_earlier_messages() -> None:
    frame = b'{"src": "shellyplug-1", "dst": "x", "method": "NotifyStatus", "params": {"ts": 1, "em1:1": {"id": 1}}}'
    alone, member = Routing(topics=("a/#",)), Routing(topics=("a/#",), in_group=True)
    assert alone.find("a/b", frame).dialect == "shelly"
    found = member.find("a/b", frame)
    assert (found.dialect, "add a rule" in found.why) == (None, True)


def test_who_has_no_password_at_the_broker_cannot_guess_the_group() -> None:
    open_to_all, ours, others = (
        group_of(load_settings({"mqtt_url": f"mqtt://{user}broker"})) for user in ("", "ingest:a@", "ingest:b@")
    )
    assert open_to_all == "arterial-ingest"
    assert len({open_to_all, ours, others}) == 3
    assert (len(ours), ours[:16]) == (40, "arterial-ingest-")
    assert group_of(load_settings({"mqtt_url": "mqtt://ingest:a@broker", "mqtt_share_group": "mine"})) == "mine"


def test_each_member_has_a_name_of_its_own_and_the_first_keeps_the_plain_one() -> None:
    settings = load_settings({"ingest_processes": 3, "ingest_metrics_port": 9_100, "mqtt_share_member": 1})
    members = [as_member(settings, number) for number in (1, 2, 3)]
    assert [one.mqtt_client_id for one in members] == ["arterial-ingest", "arterial-ingest-2", "arterial-ingest-3"]
    assert [one.ingest_metrics_port for one in members] == [9_100, 9_101, 9_102]
    assert {one.mqtt_share_group for one in members} == {"arterial-ingest"}
    assert [number_of(one.mqtt_client_id, "arterial-ingest") for one in members] == [1, 2, 3]
    strangers = ("arterial-ingest-", "arterial-ingest-x", "arterial-ingest-1", "other-2", "arterial-ingestion-2")
    assert [number_of(name, "arterial-ingest") for name in strangers] == [None] * 5


@pytest.mark.parametrize(
    "chosen",
    [
        {"mqtt_protocol": "3.1.1", "ingest_processes": 2},
        {"mqtt_protocol": "3.1.1", "mqtt_share_group": "g"},
    ],
)
def test_a_group_needs_mqtt_5(chosen: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="shared subscriptions divide the messages"):
        load_settings(chosen)


@pytest.mark.parametrize("group", ["a/b", "a+", "#", ""])
def test_a_name_that_no_broker_takes_is_refused(group: str) -> None:
    with pytest.raises(ConfigurationError, match="ARTERIAL_MQTT_SHARE_GROUP"):
        load_settings({"mqtt_share_group": group})
