"""Rented bicycles go from where they stand, sessions draw what their points give, and ingest understands what both say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from ingest.decoders import catalogue
from services.domain import BikeTripReading, ChargingReading, Message
from services.settings import load_settings
from simulators.bicycles import bike_messages_of, bike_trips_of
from simulators.charging import charging_messages_of, reports_of, sessions_of
from simulators.city import City, build_city
from simulators.clock import local_midnight_us
from simulators.districts import district_of
from simulators.truth import bike_station_use, charging_energy

FRIDAY = date(2026, 11, 20)
DAY_US = 86_400_000_000
EVER = (0, 2**62)


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(load_settings())


def test_places_stand_in_their_districts_under_names_of_their_own(city: City) -> None:
    for places in (city.docks, city.chargers):
        assert np.array_equal(district_of(places.position, city.districts), places.district)
        assert len(set(places.code)) == len(set(places.name)) == len(places.code)
        assert set(places.district.tolist()) == set(range(len(city.districts)))


def test_every_trip_takes_a_bicycle_from_where_it_stands(city: City) -> None:
    trips = bike_trips_of(city, FRIDAY)
    start = local_midnight_us(FRIDAY, city.zone)
    assert 1_500 < len(trips.bicycle) < 5_000
    assert trips.begins_us.min() >= start
    assert trips.begins_us.max() < start + DAY_US
    assert (np.diff(trips.ends_us) >= 0).all()
    order = np.lexsort((trips.begins_us, trips.bicycle))
    same = trips.bicycle[order][1:] == trips.bicycle[order][:-1]
    assert same.sum() > 500
    assert (trips.origin[order][1:] == trips.destination[order][:-1])[same].all()
    assert (trips.begins_us[order][1:] >= trips.ends_us[order][:-1])[same].all()


def test_sessions_draw_what_their_point_gives_and_some_end_on_the_next_day(city: City) -> None:
    reports = reports_of(city, FRIDAY)
    sessions = reports.sessions
    stay_h = (sessions.ends_us - sessions.begins_us) / 3.6e9
    assert (sessions.energy_kwh <= sessions.power_kw * stay_h + 0.01).all()
    assert (sessions.ends_us > local_midnight_us(FRIDAY + timedelta(days=1), city.zone)).sum() > 50
    told: dict[int, list[float]] = defaultdict(list)
    for session, energy in zip(reports.session.tolist(), reports.energy_kwh.tolist(), strict=True):
        told[session].append(energy)
    assert len(told) == len(sessions.place)
    assert all(energies == sorted(energies) and energies[0] == 0 for energies in told.values())
    assert [energies[-1] for _, energies in sorted(told.items())] == sessions.energy_kwh.tolist()
    assert reports.last.sum() == len(sessions.place)


def test_ingest_understands_every_message_and_counts_what_the_truth_counts(city: City) -> None:
    trips, reports = bike_trips_of(city, FRIDAY), reports_of(city, FRIDAY)
    now_us = local_midnight_us(FRIDAY, city.zone) + 2 * DAY_US
    messages = [
        *bike_messages_of(city, trips, *EVER),
        *charging_messages_of(city, reports, *EVER, newest_only=True),
    ]
    use: dict[tuple[str, str], int] = defaultdict(int)
    drawn: dict[str, float] = defaultdict(float)
    subjects = set()
    districts = dict(zip(city.chargers.code, city.chargers.district.tolist(), strict=True))
    for topic, payload in messages:
        said = catalogue.decode(Message(topic=topic, payload=payload, received_us=now_us), now_us=now_us)
        assert not said.rejected
        for reading in said.readings:
            if isinstance(reading, BikeTripReading):
                use[reading.origin, "departures"] += 1
                use[reading.destination, "arrivals"] += 1
            else:
                assert isinstance(reading, ChargingReading)
                drawn[city.districts[districts[reading.station]].code] += reading.energy_kwh
            assert reading.subject not in subjects
            subjects.add(reading.subject)
    assert use == bike_station_use(city, FRIDAY)
    assert drawn == pytest.approx({code: kwh for code, (_, kwh) in charging_energy(city, FRIDAY).items()})


def test_what_is_sent_live_is_what_history_would_send(city: City) -> None:
    trips, reports = bike_trips_of(city, FRIDAY), reports_of(city, FRIDAY)
    cuts = local_midnight_us(FRIDAY, city.zone) + np.arange(42) * 3_600_000_000
    spans = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    live = [one for span in spans for one in charging_messages_of(city, reports, *span)]
    assert live == list(charging_messages_of(city, reports, *EVER))
    newest = dict(live)
    assert newest == dict(charging_messages_of(city, reports, *EVER, newest_only=True))
    parts = [one for span in spans for one in bike_messages_of(city, trips, *span)]
    assert sum(payload.count(b'"from"') for _, payload in parts) == len(trips.bicycle)


def test_another_seed_and_another_day_are_another_story(city: City) -> None:
    other = replace(city, seed=8)
    assert np.array_equal(sessions_of(city, FRIDAY).energy_kwh, sessions_of(city, FRIDAY).energy_kwh)
    assert not np.array_equal(sessions_of(other, FRIDAY).energy_kwh, sessions_of(city, FRIDAY).energy_kwh)
    saturday = bike_trips_of(city, FRIDAY + timedelta(days=1))
    assert len(saturday.bicycle) != len(bike_trips_of(city, FRIDAY).bicycle)
