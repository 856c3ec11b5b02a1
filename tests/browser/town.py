"""Code concerned with a small town in a database: the synthetic city's places, and plausible rows made in one stroke."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import h3
import numpy as np
import orjson

from models.congestion import Roads, chances
from services.domain import to_us
from services.forecasting.days import Ahead, peaks_of, today_so_far
from services.forecasting.ensemble import Ensemble
from services.forecasting.totals import forecast_totals
from services.settings import Settings
from services.storage import audit, congestion, red_team, totals
from services.storage.congestion import NewCongestion
from services.storage.database import Connection
from simulators.city import build_city, districts_geojson, roads_geojson, water_geojson

DAYS = 8
XSS_NAME = "<img src=x onerror=\"window.hacked=1\"><b>Bold</b> & %{lon} <a href='javascript:window.hacked=1'>Kai</a>"
_STEP = timedelta(minutes=5)
_QUARTER = timedelta(minutes=15)


def build_town(owner: Connection, settings: Settings, now: datetime | None = None) -> dict[str, Any]:
    """Fill an empty migrated database. Returns codes that tests ask for."""
    now = now or datetime.now(UTC)
    city = build_city(settings)
    rng = np.random.default_rng(7)
    with owner.transaction():
        for feature in districts_geojson(city)["features"]:
            owner.execute(
                "INSERT INTO sensing.district (code, name, outline) VALUES (%s, %s, %s)",
                [
                    feature["properties"]["code"],
                    feature["properties"]["name"],
                    orjson.dumps(feature["geometry"]).decode(),
                ],
            )
        for name, features in (("roads", roads_geojson(city)), ("water", water_geojson(city))):
            owner.execute("INSERT INTO sensing.layer VALUES (%s, %s)", [name, orjson.dumps(features).decode()])
        months = {(now - timedelta(days=d)).date().replace(day=1) for d in range(DAYS + 1)}
        for month in months:
            owner.execute("SELECT sensing.ensure_month(%s)", [month])
        detectors, feeders = _sensors(owner, city)
        _traffic(owner, city, detectors, now, rng)
        _energy(owner, feeders, now, rng)
        _forecasts(owner, city, detectors, feeders, now, rng)
        _releases(owner, city, now, rng)
        _ingest(owner, now)
    _outlook(owner, settings, feeders, now, rng)
    owner.execute("ANALYZE")
    return {
        "traffic": city.detectors.code[0],
        "xss": city.detectors.code[1],
        "silent": city.detectors.code[2],
        "never": "zz-never",
        "feeder": city.feeders.code[0],
    }


def _sensors(owner: Connection, city: Any) -> tuple[list[int], list[int]]:
    district_ids = dict(owner.execute("SELECT code, id FROM sensing.district").fetchall())
    by_number = [district_ids[d.code] for d in city.districts]

    def insert(kind: str, code: str, name: str, place: Any, district: int, **facts: Any) -> int:
        columns = {"kind": kind, "code": code, "name": name, "lon": float(place[0]), "lat": float(place[1])}
        columns |= {"district_id": by_number[district], "described": True, "online": True, **facts}
        names = ", ".join(columns)
        holes = ", ".join(["%s"] * len(columns))
        row = owner.execute(
            f"INSERT INTO sensing.sensor ({names}) VALUES ({holes}) RETURNING id",  # noqa: S608 - names are ours
            list(columns.values()),
        ).fetchone()
        assert row is not None
        return int(row[0])

    d, f = city.detectors, city.feeders
    places, feeder_places = city.degrees(d.position), city.degrees(f.position)
    detectors = [
        insert(
            "traffic",
            code,
            XSS_NAME if i == 1 else d.name[i],
            places[i],
            int(d.district[i]),
            road=d.road[i],
            free_flow_kmh=float(d.free_flow_kmh[i]),
            capacity_vph=float(d.capacity_vph[i]),
            step_seconds=300,
            unit="veh/h",
        )
        for i, code in enumerate(d.code)
    ]
    feeders = [
        insert(
            "energy",
            code,
            f.name[i],
            feeder_places[i],
            int(f.district[i]),
            limit_kw=float(f.limit_kw[i]),
            step_seconds=900,
            unit="kW",
        )
        for i, code in enumerate(f.code)
    ]
    insert("traffic", "zz-never", "Never heard of", places[0] + 0.01, 0, free_flow_kmh=50.0, step_seconds=300)
    return detectors, feeders


def _rhythm(moments: np.ndarray[Any, Any], offset_hours: float = 1.0) -> np.ndarray[Any, Any]:
    """A working day's rhythm 0 to 1 of moments in seconds since 1970."""
    hour = (moments / 3600 + offset_hours) % 24
    weekday = (moments // 86400 + 4) % 7
    peaks = np.exp(-(((hour - 8) / 1.6) ** 2)) + 1.1 * np.exp(-(((hour - 17) / 2.0) ** 2))
    day = 0.45 / (1 + np.exp(-(hour - 6) * 2)) / (1 + np.exp((hour - 21.5) * 1.3))
    return (0.06 + peaks * 0.5 + day) * np.where((weekday == 0) | (weekday == 6), 0.75, 1.0)


def _traffic(owner: Connection, city: Any, ids: list[int], now: datetime, rng: np.random.Generator) -> None:
    last = int((now - _STEP).timestamp()) // 300 * 300
    fine = last - 26 * 3600  # five minutes for the last day, quarter hours before
    moments = np.concatenate([np.arange(last - DAYS * 86400, fine, 900), np.arange(fine, last + 1, 300)])
    rhythm = _rhythm(moments)
    stamps = [datetime.fromtimestamp(int(m), UTC) for m in moments]
    with owner.cursor().copy(
        "COPY sensing.traffic (sensor_id, observed_at, received_at, flow_vph, speed_kmh, occupancy, quality) FROM STDIN"
    ) as copy:
        for i, sensor in enumerate(ids):
            capacity, free = float(city.detectors.capacity_vph[i]), float(city.detectors.free_flow_kmh[i])
            load = np.clip(rhythm * rng.uniform(0.55, 1.15) + rng.normal(0, 0.03, len(moments)), 0.02, 1.25)
            ratio = np.clip(1.02 - 0.25 * load**2 - 1.6 * np.clip(load - 0.75, 0, None), 0.12, 1.05)
            if i % 17 == 5:
                ratio[-9:] = 0.25 + 0.2 * rng.random()
            flow = np.clip(load, 0, 1) * capacity
            keep = moments < now.timestamp() - 3 * 3600 if i == 2 else np.ones(len(moments), dtype=bool)
            for at, q, s in zip(stamps[: int(keep.sum())], flow.tolist(), (ratio * free).tolist(), strict=False):
                copy.write_row((sensor, at, at + _STEP, q, s, 0.1, 1))
    owner.execute(
        """INSERT INTO sensing.traffic_15min SELECT sensor_id, date_bin('15 min', observed_at, '2000-01-01Z') b,
            count(*), count(*), avg(flow_vph), avg(speed_kmh), avg(occupancy) FROM sensing.traffic GROUP BY 1, 2"""
    )
    owner.execute(
        """INSERT INTO sensing.traffic_hour SELECT sensor_id, date_bin('1 hour', bucket, '2000-01-01Z') b,
            sum(rows), sum(good), avg(flow_vph), avg(speed_kmh), avg(occupancy) FROM sensing.traffic_15min GROUP BY 1, 2"""
    )


def _load(moments: np.ndarray[Any, Any], rng: np.random.Generator, limit: float) -> np.ndarray[Any, Any]:
    base = 0.32 + 0.36 * np.clip(_rhythm(moments), 0, 1) + 0.05 * np.sin(moments / 86400 * 2 * np.pi)
    return base * limit * rng.uniform(0.75, 1.32) * (1 + rng.normal(0, 0.02, len(moments)))


def _energy(owner: Connection, ids: list[int], now: datetime, rng: np.random.Generator) -> None:
    limits = dict(owner.execute("SELECT id, limit_kw FROM sensing.sensor WHERE kind = 'energy'").fetchall())
    last = int((now - _QUARTER).timestamp()) // 900 * 900
    moments = np.arange(last - DAYS * 86400, last + 1, 900)
    with owner.cursor().copy(
        "COPY sensing.energy (sensor_id, observed_at, received_at, power_kw, quality) FROM STDIN"
    ) as copy:
        for sensor in ids:
            for m, p in zip(moments, _load(moments, rng, limits[sensor]), strict=True):
                at = datetime.fromtimestamp(int(m), UTC)
                copy.write_row((sensor, at, at + _QUARTER, float(p), 1))
    owner.execute(
        """INSERT INTO sensing.energy_15min SELECT sensor_id, observed_at, 1, 1, power_kw, power_kw, NULL
            FROM sensing.energy"""
    )
    owner.execute(
        """INSERT INTO sensing.energy_hour SELECT sensor_id, date_bin('1 hour', observed_at, '2000-01-01Z'),
            count(*), count(*), avg(power_kw), max(power_kw), NULL FROM sensing.energy GROUP BY 1, 2"""
    )


def _forecasts(
    owner: Connection, city: Any, detectors: list[int], feeders: list[int], now: datetime, rng: np.random.Generator
) -> None:
    spread = np.array([-1.6, -1.25, -0.65, 0, 0.65, 1.25, 1.6])
    for age in (6, 0):
        issued = datetime.fromtimestamp(int(now.timestamp()) // 900 * 900, UTC) - timedelta(hours=age)
        for kind, steps, quantities, ids in (
            ("traffic", 96, ("flow_vph", "speed_kmh"), detectors),
            ("energy", 192, ("power_kw",), feeders),
        ):
            run = owner.execute(
                """INSERT INTO forecast.run (issued_at, kind, step_seconds, steps, trained_from, trained_to, data_hash,
                    config_hash, seconds) VALUES (%s, %s, 900, %s, %s, %s, 'd', 'c', 4.2) RETURNING id""",
                [issued, kind, steps, issued - timedelta(days=28), issued],
            ).fetchone()
            assert run is not None
            targets = issued.timestamp() + 900 * np.arange(steps)
            series = []
            for i, sensor in enumerate(ids):
                for quantity in quantities:
                    centre, width = _centre(city, owner, i, sensor, quantity, targets, rng)
                    state = "degraded" if i == 3 else "stale" if i == 2 and kind == "traffic" else "normal"
                    reason = {"degraded": "too little history for the ridge", "stale": "silent for 3 hours"}.get(state)
                    grown = width * (0.4 + 0.6 * np.linspace(0, 1, steps))[:, None]
                    table = np.clip(centre[:, None] + grown * spread, 0, None)
                    said = (run[0], sensor, quantity, issued, "profile_ridge", state, reason, issued, 900)
                    series.append((*said, *table.T.tolist()))
            with owner.cursor().copy(
                "COPY forecast.series (run_id, sensor_id, quantity, issued_at, model, state, reason, first_target_at,"
                " step_seconds, q05, q10, q25, q50, q75, q90, q95) FROM STDIN"
            ) as copy:
                for row in series:
                    copy.write_row(row)
            if kind == "traffic":
                _congestion(owner, city, int(run[0]), issued, series)
    for sensor, quantity in ((detectors[0], "flow_vph"), (feeders[0], "power_kw")):
        for lead, factor in ((15, 0.5), (60, 0.7), (180, 0.85), (360, 0.95), (720, 1.02), (1440, 1.06)):
            owner.execute(
                "INSERT INTO forecast.score VALUES (%s, %s, %s, %s, 96, %s, %s, 96, 48000, 78, 87)",
                [sensor, quantity, lead, (now - timedelta(days=1)).date(), 96 * 52 * factor, 96 * 52],
            )


def _outlook(
    owner: Connection, settings: Settings, feeders: list[int], now: datetime, rng: np.random.Generator
) -> None:
    """Totals and peaks, calculated from errors that last for hours and are partly those of the whole town."""
    issued = datetime.fromtimestamp(int(now.timestamp()) // 900 * 900, UTC)
    limits = np.array([totals.limits(owner, feeders)[one] for one in feeders])
    shocks = rng.standard_normal((40, len(feeders) + 1, 192))
    for k in range(1, 192):
        shocks[:, :, k] = 0.97 * shocks[:, :, k - 1] + 0.24 * shocks[:, :, k]
    errors = (0.03 * limits[:, None] * (shocks[:, 1:] + shocks[:, :1])).astype(np.float32)
    read = owner.execute("SELECT power_kw FROM sensing.energy_15min ORDER BY sensor_id, bucket").fetchall()
    values = np.array(read).reshape(len(feeders), -1)
    known = Ensemble(
        ids=np.array(feeders),
        step_seconds=900,
        start_us=to_us(issued) - values.shape[1] * 900_000_000,
        values=values,
        origins_us=to_us(issued) - np.arange(20, 60)[::-1] * 17 * 900_000_000,
        errors=errors,
    )
    parts = totals.parts(owner, quantity="power_kw", issued_by=issued)
    found = peaks_of(
        Ahead(
            first_us=to_us(issued),
            step_seconds=900,
            quantiles=np.stack([one.quantiles for one in parts], axis=1),
            errors=errors,
            truth=np.full(errors.shape, np.nan),
            origins_us=known.origins_us,
            observed=today_so_far(values, to_us(issued), 900, settings.zone),
            limits=limits,
            limit_is="allowed",
        ),
        settings.zone,
    )
    run = owner.execute("SELECT max(id) FROM forecast.run WHERE kind = 'energy'").fetchone() or (0,)
    made = [replace(peak, sensor_id=one.sensor_id) for one, mine in zip(parts, found, strict=True) for peak in mine]
    totals.store_peaks(owner, run[0], issued, made)
    owner.commit()
    forecast_totals(settings, issued_by=issued, ensembles=[known])


def _congestion(owner: Connection, city: Any, run: int, issued: datetime, series: list[tuple[Any, ...]]) -> None:
    """The chances of each detector, from its speed and flow as the service would say them."""
    told = {(row[1], row[2]): np.array(row[9:]) for row in series}
    ids = sorted({sensor for sensor, _ in told})
    speed, flow = (np.stack([told[one, name] for one in ids], axis=1) for name in ("speed_kmh", "flow_vph"))
    free, capacity = city.detectors.free_flow_kmh, city.detectors.capacity_vph
    known = Roads(
        free_flow_kmh=free,
        is_estimated=np.zeros(len(ids), dtype=bool),
        capacity_vph=capacity,
        alike=np.zeros(len(ids)),
    )
    found = chances(speed, flow, flow[3], known)
    congestion.store(
        owner,
        run,
        issued,
        [
            NewCongestion(
                sensor_id=one,
                first_target_us=to_us(issued),
                step_seconds=900,
                free_flow_kmh=float(free[k]),
                free_flow_estimated=False,
                capacity_vph=float(capacity[k]),
                chances=found[:, k],
            )
            for k, one in enumerate(ids)
        ],
    )


def _centre(
    city: Any, owner: Connection, i: int, sensor: int, quantity: str, targets: Any, rng: np.random.Generator
) -> tuple[Any, float]:
    rhythm = _rhythm(targets)
    if quantity == "power_kw":
        limit = float(city.feeders.limit_kw[i])
        return (0.32 + 0.36 * np.clip(rhythm, 0, 1)) * limit * rng.uniform(0.8, 1.3), 0.08 * limit
    load = rhythm * (0.6 + 0.5 * ((i * 37) % 11) / 11)
    if quantity == "flow_vph":
        return np.clip(load, 0, 1) * float(city.detectors.capacity_vph[i]), 0.07 * float(city.detectors.capacity_vph[i])
    ratio = np.clip(1.02 - 0.25 * load**2 - 1.6 * np.clip(load - 0.75, 0, None), 0.12, 1.05)
    return ratio * float(city.detectors.free_flow_kmh[i]), 5.0


def _releases(owner: Connection, city: Any, now: datetime, rng: np.random.Generator) -> None:
    cells = h3.grid_disk(h3.latlng_to_cell(52.98, 12.55, 8), 8)
    for back in (1, 2, 3):
        day = (now - timedelta(days=back)).date()
        for domain, epsilon in (("mobility", 800_000), ("household", 500_000)):
            owner.execute("INSERT INTO governance.budget VALUES (%s, %s, 1000000, %s)", [domain, day, epsilon])
        key = f"presence/{day}"
        owner.execute(
            """INSERT INTO governance.charge (release_key, domain, day, plan_hash, micro_epsilon)
                VALUES (%s, 'mobility', %s, 'ffff', 800000)""",
            [key, day],
        )
        rows = []
        for hour in range(24):
            at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            level = float(_rhythm(np.array([at.timestamp()]))[0])
            for cell in cells:
                distance = h3.grid_distance(cells[0], cell)
                count = rng.poisson(level * 90 * np.exp(-distance / 4)) // 5 * 5
                rows.append((key, int(cell, 16), at, int(count) if count >= 15 else None))
        columns = {
            "release_key": key, "plan": "presence", "plan_version": "1", "plan_hash": "f" * 16, "day": day,
            "epsilon": 0.8, "delta": 1e-9, "mechanism": "discrete Laplace", "noise_scale": 5.0, "threshold": 15,
            "rounding": 5, "ci95": 17.5, "cells": len(rows), "suppressed": sum(row[3] is None for row in rows),
        }  # fmt: skip
        owner.execute(
            f"INSERT INTO published.release ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",  # noqa: S608 - names of this file
            list(columns.values()),
        )
        with owner.cursor().copy("COPY published.presence FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    _nights(owner, (now - timedelta(days=1)).date())


def _nights(owner: Connection, last_day: date) -> None:
    """What the second accountant and the weekly attacks left behind."""
    windows = [
        {"domain": "mobility", "days": days, "epsilon_sum": 0.8 * min(days, 3), "epsilon_distribution": tighter, "agree": True}
        for days, tighter in ((1, 0.8), (7, 1.37), (30, 1.37), (90, 1.37), (365, 1.37))
    ]  # fmt: skip
    facts = {"agree": True, "days": 3, "wrong": [], "last_day": last_day.isoformat(), "windows": windows}
    audit.append(owner, audit.Action.LEDGER_CHECKED, "worker", facts)
    attack = {"name": "sybil-isolation", "control_passed": True, "advantage": 0.51, "limit": 0.731, "passed": True}
    red_team.store_result(owner, {"passed": True, "short": True, "scheduled": True, "attacks": [attack]})


def _ingest(owner: Connection, now: datetime) -> None:
    owner.execute(
        """INSERT INTO sensing.ingest_session (client_id, started_at, seen_at, received, stored, duplicate, dead_lettered,
            spooled, in_flight) VALUES ('ingest', %s, %s, 412908, 412345, 402, 161, 0, 0)""",
        [now - timedelta(days=DAYS), now],
    )
    for i in range(12):
        owner.execute(
            """INSERT INTO sensing.dead_letter (received_at, topic, payload, payload_bytes, reason)
                VALUES (%s, 'city/v1/traffic/x/telemetry', ''::bytea, 12, 'the payload is not JSON')""",
            [now - timedelta(minutes=3 * i)],
        )
