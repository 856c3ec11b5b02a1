"""Recordings: wide CSV with every mistake a person makes, clock changes, whole-week shifts, and Berlin's exact values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.domain import Kind, from_us, to_us
from services.errors import InputError
from simulators.recordings import Recording, read_recording
from simulators.replay import shifted_to_now

BERLIN = ZoneInfo("Europe/Berlin")
GOOD = "time,a,b\n2024-06-03 08:00,1,2.5\n2024-06-03 09:00,,3\n2024-06-03 10:00,4,NA\n"


def read(folder: Path, text: str | bytes, sensors: str | None = None) -> Recording:
    file = folder / "counts.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    if sensors is not None:
        (folder / "sensors.csv").write_text(sensors, encoding="utf-8")
    return read_recording(file, BERLIN)


def test_a_wide_csv_is_read_in_local_time(tmp_path: Path) -> None:
    recording = read(tmp_path, GOOD)
    assert [from_us(int(moment)) for moment in recording.times_us[:1]] == [datetime(2024, 6, 3, 6, tzinfo=UTC)]
    assert recording.step_s == 3_600
    first, second = recording.sensors
    assert (first.code, first.kind, list(first.values)) == ("a", Kind.ENVIRONMENT, ["value"])
    assert np.array_equal(first.values["value"], [1, np.nan, 4], equal_nan=True)
    assert np.array_equal(second.values["value"], [2.5, 3, np.nan], equal_nan=True)


def test_sensors_csv_says_what_the_columns_are(tmp_path: Path) -> None:
    sensors = "id,name,lon,lat,kind,unit\na,Ring,13.4,52.5,traffic,mph\nb,Meter,,,energy,MW\nc,Unused,,,,\n"
    first, second = read(tmp_path, GOOD, sensors).sensors
    assert (first.kind, first.meta["lon"], first.meta["name"]) == (Kind.TRAFFIC, 13.4, "Ring")
    assert first.values["speed_kmh"][0] == pytest.approx(1.609344)
    assert second.values["power_kw"][0] == 2_500
    assert second.meta["lat"] is None


def test_semicolons_decimal_commas_offsets_and_bom(tmp_path: Path) -> None:
    text = "\ufefftime;a\n2024-06-03T08:00:00+00:00;1,5\n2024-06-03T08:15:00+00:00;2,5\n"
    recording = read(tmp_path, text)
    assert recording.sensors[0].values["value"].tolist() == [1.5, 2.5]
    assert from_us(int(recording.times_us[0])) == datetime(2024, 6, 3, 8, tzinfo=UTC)
    assert recording.step_s == 900


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("time\n2024-06-03 08:00\n", "has one column"),
        ("time,a\n2024-06-03 08:00,1\n", "at least two are needed"),
        ("time,a,a\n2024-06-03 08:00,1,1\n", "column 3: the sensor 'a' is already in column 2"),
        ("time,a,\n2024-06-03 08:00,1,1\n", "column 3: '' cannot name a sensor"),
        ("time,a/b\n2024-06-03 08:00,1\n", "column 2: 'a/b' cannot name a sensor"),
        ("time,a\nyesterday,1\n2024-06-03 09:00,1\n", "row 2, column 1: 'yesterday' is not a time"),
        ("time,a\n2024-06-03 08:00,1\n2024-06-03 09:00,high\n", "row 3, column 2: 'high' is not a number"),
        ("time,a\n2024-06-03 08:00,1\n2024-06-03 09:00,inf\n", "row 3, column 2: 'inf' is not a finite number"),
        ("time,a\n2024-06-03 08:00,1\n2024-06-03 09:00,1,2\n", "row 3: 3 columns, but the header has 2"),
        ("time,a\n2024-06-03 08:00,1\n2024-06-03 08:00,1\n", "row 3: '2024-06-03 08:00' is not later"),
        ("time,a\n2024-06-03 08:00,1\n2024-06-03 09:00Z,1\n", "row 3: this time has an offset"),
        ("time,a\n2024-03-31 01:30,1\n2024-03-31 02:30,1\n", "row 3: '2024-03-31 02:30' never happened"),
        (b"time,a\n2024-06-03 08:00,\xff\n", "is not UTF-8 text, at byte"),
    ],
)
def test_a_mistake_is_named_with_its_row_and_column(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(tmp_path, text)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ("name\nRing\n", "has no column id"),
        ("id,kind\na,traffic\n", "column 3: the sensor 'b' is not in sensors.csv"),
        ("id,kind\na,cars\nb,\n", "row 2: the kind 'cars' is not one of"),
        ("id,kind,unit\na,traffic,kW\nb,,\n", "row 2: the unit 'kW' of traffic is not one of"),
        ("id,lon\na,200\nb,\n", "row 2: lon is '200'"),
        ("id,lon\na\nb,\n", "row 2: 1 columns, but the header has 2"),
    ],
)
def test_a_mistake_in_sensors_csv_is_named(tmp_path: Path, sensors: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(tmp_path, GOOD, sensors)
    assert words in str(refusal.value)


@pytest.mark.parametrize("name", ["nothing.csv", "text.txt", "."])
def test_what_is_no_recording_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(InputError):
        read_recording(tmp_path / name, BERLIN)


def test_the_doubled_october_hour_is_told_apart_by_order(tmp_path: Path) -> None:
    rows = "".join(
        f"{stamp},{number}\n"
        for number, stamp in enumerate(
            [
                "2024-10-27 01:30",
                "2024-10-27 02:00",
                "2024-10-27 02:30",
                "2024-10-27 02:00",
                "2024-10-27 02:30",
                "2024-10-27 03:00",
            ]
        )
    )
    recording = read(tmp_path, "time,a\n" + rows)
    assert np.diff(recording.times_us).tolist() == [1_800_000_000] * 5


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_shift_moves_by_whole_weeks_on_the_local_clock(tmp_path: Path, speed: float) -> None:
    stamps = [f"2024-06-{day:02d} {hour:02d}:00" for day in range(3, 17) for hour in range(24)]
    recording = read(tmp_path, "time,a\n" + "".join(f"{stamp},1\n" for stamp in stamps))
    now = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)  # winter time, the recording is from summer
    moved = shifted_to_now(recording, to_us(now), speed=speed)
    for old, new in zip(recording.times_us.tolist(), moved.times_us.tolist(), strict=True):
        before, after = from_us(old).astimezone(BERLIN), from_us(new).astimezone(BERLIN)
        assert (before.weekday(), before.hour, before.minute) == (after.weekday(), after.hour, after.minute)
        assert (after.date() - before.date()).days % 7 == 0
    if speed == 1:
        assert moved.times_us[0] <= to_us(now) < moved.times_us[0] + 7 * 86_400_000_000
    else:
        end = moved.times_us[-1] + 3_600_000_000
        assert end <= to_us(now) < end + 7 * 86_400_000_000 + 3_600_000_000


@pytest.mark.recording
def test_berlin_has_the_values_of_its_archive(recordings: Path) -> None:
    folder = recordings / "berlin_mq"
    recording = read_recording(folder, ZoneInfo("Asia/Tokyo"))  # the recording knows its own zone
    assert len(recording.sensors) == 232
    assert recording.zone.key == "Europe/Berlin"
    assert all(sensor.meta["lon"] and sensor.meta["lat"] and sensor.meta["road"] for sensor in recording.sensors)
    with np.load(folder / "berlin_mq_hourly_2023_2024.npz") as archive:
        stamps, names = archive["time"], archive["names"].tolist()
        flow, speed = archive["flow"], archive["speed"]
    by_code = {sensor.code: sensor for sensor in recording.sensors}
    for stamp, utc in (
        ("2023-01-02T08", datetime(2023, 1, 2, 7, tzinfo=UTC)),
        ("2024-07-01T17", datetime(2024, 7, 1, 15, tzinfo=UTC)),
    ):
        row = int(np.searchsorted(stamps, np.datetime64(stamp)))
        place = int(np.searchsorted(recording.times_us, to_us(utc)))
        assert recording.times_us[place] == to_us(utc)
        for column in (0, 50, 231):
            sensor = by_code[names[column].lower()]
            assert np.array_equal(sensor.values["flow_vph"][place], flow[row, column], equal_nan=True)
            expected = np.nan if speed[row, column] < 0 else speed[row, column]
            assert np.array_equal(sensor.values["speed_kmh"][place], expected, equal_nan=True)
    doubled = int(np.searchsorted(recording.times_us, to_us(datetime(2023, 10, 29, 0, tzinfo=UTC))))
    assert all(np.isnan(sensor.values["flow_vph"][doubled]) for sensor in recording.sensors)
    skipped = np.isin(recording.times_us, [to_us(datetime(2024, 3, 31, 1, tzinfo=UTC))])
    assert skipped.sum() == 1  # 03:00 local; 02:00 never happened
    assert (
        min(
            np.nanmin(sensor.values["speed_kmh"])
            for sensor in recording.sensors
            if not np.isnan(sensor.values["speed_kmh"]).all()
        )
        >= 0
    )


@pytest.mark.recording
def test_a_span_of_berlin_is_local_days_both_included(recordings: Path) -> None:
    part = read_recording(recordings / "berlin_mq", BERLIN).between(date(2024, 6, 1), date(2024, 6, 2))
    assert from_us(int(part.times_us[0])).astimezone(BERLIN).isoformat() == "2024-06-01T00:00:00+02:00"
    assert len(part.times_us) == 48
    with pytest.raises(InputError, match="has nothing from 2030-01-01"):
        part.between(date(2030, 1, 1), date(2030, 1, 2))
