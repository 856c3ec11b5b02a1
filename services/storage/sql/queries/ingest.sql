-- name: lock_client
-- Take the lock of one ingest session for as long as this connection lives; false when another process holds it.
SELECT pg_try_advisory_lock(hashtextextended('arterial-ingest:' || %(client_id)s, 0));

-- name: own_backend
-- Which server process this connection has; with its start, as numbers are used again.
SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid();

-- name: end_backend
-- End the server process of an earlier connection of the same role, and wait for that; without row when it is gone already.
SELECT pg_terminate_backend(pid, %(patience_ms)s) FROM pg_stat_activity
WHERE pid = %(pid)s AND backend_start = %(backend_start)s AND usename = current_user;

-- name: start_session
-- Begin counting anew: what an earlier process did not acknowledge is delivered again.
INSERT INTO sensing.ingest_session (client_id, started_at, seen_at) VALUES (%(client_id)s, now(), now())
ON CONFLICT (client_id) DO UPDATE SET started_at = now(), seen_at = now(), received = 0, stored = 0, duplicate = 0,
    dead_lettered = 0, spooled = 0, in_flight = 0, heartbeat_at = NULL;

-- name: recent_sessions
-- The client identifiers of sessions that were seen within so many seconds.
SELECT client_id FROM sensing.ingest_session WHERE seen_at > now() - make_interval(secs => %(seconds)s);

-- name: forget_session
-- A session that has ended for good is no longer expected.
DELETE FROM sensing.ingest_session WHERE client_id = %(client_id)s;

-- name: count_session
-- Write the counters of a session, in the transaction of the batch they count.
UPDATE sensing.ingest_session SET seen_at = now(), received = %(received)s, stored = %(stored)s,
    duplicate = %(duplicate)s, dead_lettered = %(dead_lettered)s, spooled = %(spooled)s, in_flight = %(in_flight)s,
    heartbeat_at = CASE WHEN %(beats)s THEN now() ELSE heartbeat_at END
WHERE client_id = %(client_id)s;

-- name: register_sensors
-- Make sensors that are not there yet; safe beside other ingest processes.
INSERT INTO sensing.sensor (code, kind) SELECT code, kind FROM unnest(%(codes)s::text[], %(kinds)s::text[]) AS t (code, kind)
ORDER BY code ON CONFLICT (code) DO NOTHING;

-- name: find_sensors
-- Number and kind of sensors by code.
SELECT code, kind, id FROM sensing.sensor WHERE code = ANY (%(codes)s);

-- name: districts
-- Number of each district by code.
SELECT code, id FROM sensing.district;

-- name: ensure_month
-- Make the partitions of a month where there are none.
SELECT sensing.ensure_month(%(month)s);

-- name: copy_traffic
-- Take new rows in binary form.
COPY sensing.traffic (sensor_id, observed_at, received_at, seq, flow_vph, speed_kmh, occupancy, quality)
FROM STDIN (FORMAT binary);

-- name: copy_energy
-- Take new rows in binary form.
COPY sensing.energy (sensor_id, observed_at, received_at, seq, power_kw, energy_kwh, quality)
FROM STDIN (FORMAT binary);

-- name: copy_observation
-- Take new rows in binary form.
COPY sensing.observation (sensor_id, quantity, observed_at, received_at, seq, value, quality)
FROM STDIN (FORMAT binary);

-- name: copy_dirty_hour
-- Remember which hours were touched.
COPY sensing.dirty_hour (kind, sensor_id, hour) FROM STDIN (FORMAT binary);

-- name: existing_traffic
-- What is stored under the given keys; `item` is the place of the key in the arrays, counted from 0.
SELECT k.item - 1, t.flow_vph::float8, t.speed_kmh::float8, t.occupancy::float8
FROM unnest(%(sensors)s::int[], %(moments)s::bigint[]) WITH ORDINALITY AS k (sensor_id, observed_us, item)
CROSS JOIN LATERAL (
    SELECT * FROM sensing.traffic
    WHERE sensor_id = k.sensor_id AND observed_at = timestamptz 'epoch' + k.observed_us * interval '1 microsecond'
    OFFSET 0 -- one search by key each: joined at once, all that was ever compressed would be read
) t;

-- name: existing_energy
-- What was reported under the given keys; `item` is the place of the key in the arrays, counted from 0.
SELECT k.item - 1, CASE WHEN t.power_from_register IS NOT TRUE THEN t.power_kw::float8 END, t.energy_kwh
FROM unnest(%(sensors)s::int[], %(moments)s::bigint[]) WITH ORDINALITY AS k (sensor_id, observed_us, item)
CROSS JOIN LATERAL (
    SELECT * FROM sensing.energy
    WHERE sensor_id = k.sensor_id AND observed_at = timestamptz 'epoch' + k.observed_us * interval '1 microsecond'
    OFFSET 0 -- one search by key each: joined at once, all that was ever compressed would be read
) t;

-- name: existing_observation
-- What is stored under the given keys; `item` is the place of the key in the arrays, counted from 0.
SELECT k.item - 1, t.value
FROM unnest(%(sensors)s::int[], %(moments)s::bigint[], %(quantities)s::text[]) WITH ORDINALITY
    AS k (sensor_id, observed_us, quantity, item)
CROSS JOIN LATERAL (
    SELECT * FROM sensing.observation
    WHERE sensor_id = k.sensor_id AND quantity = k.quantity
        AND observed_at = timestamptz 'epoch' + k.observed_us * interval '1 microsecond'
    OFFSET 0
) t;

-- name: complete_traffic
-- Fill in what an earlier message about the same moment left open; nothing where another process has filled in otherwise.
UPDATE sensing.traffic SET flow_vph = coalesce(flow_vph, %(flow_vph)s), speed_kmh = coalesce(speed_kmh, %(speed_kmh)s),
    occupancy = coalesce(occupancy, %(occupancy)s), received_at = greatest(received_at, %(received_at)s),
    quality = %(quality)s
WHERE sensor_id = %(sensor_id)s AND observed_at = %(observed_at)s
    AND (flow_vph IS NULL OR %(flow_vph)s::real IS NULL OR flow_vph = %(flow_vph)s::real)
    AND (speed_kmh IS NULL OR %(speed_kmh)s::real IS NULL OR speed_kmh = %(speed_kmh)s::real)
    AND (occupancy IS NULL OR %(occupancy)s::real IS NULL OR occupancy = %(occupancy)s::real);

-- name: complete_energy
-- Fill in what an earlier message about the same moment left open; a reported power goes before one from registers. Nothing
-- where another process has filled in otherwise.
UPDATE sensing.energy SET
    power_kw = CASE WHEN power_from_register THEN coalesce(%(power_kw)s, power_kw) ELSE coalesce(power_kw, %(power_kw)s) END,
    power_from_register = power_from_register AND %(power_kw)s::real IS NULL,
    energy_kwh = coalesce(energy_kwh, %(energy_kwh)s),
    received_at = greatest(received_at, %(received_at)s), quality = %(quality)s
WHERE sensor_id = %(sensor_id)s AND observed_at = %(observed_at)s
    AND (power_kw IS NULL OR power_from_register IS TRUE OR %(power_kw)s::real IS NULL OR power_kw = %(power_kw)s::real)
    AND (energy_kwh IS NULL OR %(energy_kwh)s::float8 IS NULL OR energy_kwh = %(energy_kwh)s::float8);

-- name: lock_registers
-- One transaction at a time works out power for a sensor: it sees the registers that the others have committed.
SELECT pg_advisory_xact_lock(hashtext('sensing.energy.power_from_register'), part)
FROM (SELECT DISTINCT sensor_id %% 256 AS part FROM unnest(%(sensors)s::int[]) AS k (sensor_id) ORDER BY 1) parts;

-- name: register_steps
-- The registers without a reported power under the given keys, those last before them, and of each the next one.
WITH given AS (
    SELECT sensor_id, timestamptz 'epoch' + observed_us * interval '1 microsecond' AS at
    FROM unnest(%(sensors)s::int[], %(moments)s::bigint[]) AS k (sensor_id, observed_us)
), starts AS (
    SELECT sensor_id, at FROM given
    UNION
    SELECT given.sensor_id, before.observed_at
    FROM given
    CROSS JOIN LATERAL (
        SELECT observed_at FROM sensing.energy
        WHERE sensor_id = given.sensor_id AND observed_at < given.at AND observed_at >= given.at - %(longest)s
            AND energy_kwh IS NOT NULL AND (power_kw IS NULL OR power_from_register)
        ORDER BY observed_at DESC LIMIT 1
    ) before
)
SELECT e.sensor_id, (extract(epoch FROM e.observed_at) * 1000000)::bigint, e.power_kw::float8, e.energy_kwh,
    (extract(epoch FROM after.observed_at) * 1000000)::bigint, after.energy_kwh, s.register_kwh, after.received_at
FROM starts
CROSS JOIN LATERAL (
    SELECT * FROM sensing.energy WHERE sensor_id = starts.sensor_id AND observed_at = starts.at OFFSET 0
) e
JOIN sensing.sensor s ON s.id = e.sensor_id
LEFT JOIN LATERAL (
    SELECT observed_at, energy_kwh, received_at FROM sensing.energy
    WHERE sensor_id = e.sensor_id AND observed_at > e.observed_at AND observed_at <= e.observed_at + %(longest)s
        AND energy_kwh IS NOT NULL AND (power_kw IS NULL OR power_from_register)
    ORDER BY observed_at LIMIT 1
) after ON true
WHERE e.energy_kwh IS NOT NULL AND (e.power_kw IS NULL OR e.power_from_register)
ORDER BY 1, 2;

-- name: set_register_power
-- Keep the power from registers to the next, known since the next was received; NULL takes it back.
UPDATE sensing.energy e SET power_kw = k.power_kw, power_from_register = k.power_kw IS NOT NULL,
    received_at = greatest(e.received_at, k.received_at)
FROM (
    SELECT sensor_id, timestamptz 'epoch' + observed_us * interval '1 microsecond' AS observed_at, power_kw, received_at
    FROM unnest(%(sensors)s::int[], %(moments)s::bigint[], %(powers)s::real[], %(received)s::timestamptz[])
        AS k (sensor_id, observed_us, power_kw, received_at)
) k
WHERE e.sensor_id = k.sensor_id AND e.observed_at = k.observed_at
    AND e.sensor_id = ANY (%(sensors)s) AND e.observed_at BETWEEN %(first)s AND %(last)s; -- so that no others are looked at

-- name: describe_sensor
-- Keep what a device says about itself; what it leaves out stays as it was.
UPDATE sensing.sensor SET
    name = coalesce(%(name)s, name), lon = coalesce(%(lon)s, lon), lat = coalesce(%(lat)s, lat),
    unit = coalesce(%(unit)s, unit), district_id = coalesce(%(district_id)s::smallint, district_id),
    road = coalesce(%(road)s, road), free_flow_kmh = coalesce(%(free_flow_kmh)s, free_flow_kmh),
    capacity_vph = coalesce(%(capacity_vph)s, capacity_vph), limit_kw = coalesce(%(limit_kw)s, limit_kw),
    register_kwh = coalesce(%(register_kwh)s, register_kwh), step_seconds = coalesce(%(step_seconds)s, step_seconds), described = true
WHERE id = %(sensor_id)s;

-- name: note_status
-- Whether a device is connected, as it or its last will said.
UPDATE sensing.sensor SET online = %(online)s, status_at = %(status_at)s WHERE id = %(sensor_id)s;

-- name: bury
-- Keep messages that could not be stored whole, with the reasons; the places of those that were not there yet.
SELECT sensing.bury(
    %(received_at)s::timestamptz[], %(since)s::timestamptz[], %(topic)s::text[], %(payload)s::bytea[], %(payload_bytes)s::integer[],
    %(reason)s::text[]);

-- name: bury_personal
-- The same for personal topics, in the schema that is destroyed within two days.
SELECT personal.bury(
    %(received_at)s::timestamptz[], %(since)s::timestamptz[], %(topic)s::text[], %(payload)s::bytea[], %(payload_bytes)s::integer[],
    %(reason)s::text[]);

-- name: key_of_day
-- The pseudonym key of a local day, made on first use; NULL when the day is closed.
SELECT personal.key_of_day(%(purpose)s, %(day)s, %(oldest)s);

-- name: keep_all_position
-- Store many pseudonymous positions; repeated ones are left out.
INSERT INTO personal.position (day, subject, observed_at, cell, speed_kmh)
SELECT * FROM unnest(%(day)s::date[], %(subject)s::bytea[], %(observed_at)s::timestamptz[], %(cell)s::bigint[], %(speed_kmh)s::real[])
ON CONFLICT DO NOTHING;

-- name: keep_all_household
-- Store many pseudonymous household loads; repeated ones are left out.
INSERT INTO personal.household (day, subject, observed_at, district_id, energy_wh)
SELECT * FROM unnest(%(day)s::date[], %(subject)s::bytea[], %(observed_at)s::timestamptz[], %(district_id)s::smallint[], %(energy_wh)s::integer[])
ON CONFLICT DO NOTHING;

-- name: stations
-- The register of stations of one purpose.
SELECT code, id, district_id FROM sensing.station WHERE purpose = %(purpose)s;

-- name: keep_all_bike_trip
-- Store many pseudonymous trips between stations; repeated ones are left out.
INSERT INTO personal.bike_trip (day, subject, origin, destination)
SELECT * FROM unnest(%(day)s::date[], %(subject)s::bytea[], %(origin)s::integer[], %(destination)s::integer[])
ON CONFLICT DO NOTHING;

-- name: keep_bike_trip
-- Store a pseudonymous trip; a repeated one is left out.
INSERT INTO personal.bike_trip (day, subject, origin, destination)
VALUES (%(day)s, %(subject)s, %(origin)s, %(destination)s) ON CONFLICT DO NOTHING;

-- name: keep_all_charging
-- Store what many pseudonymous charging sessions have drawn; repeated reports are left out.
INSERT INTO personal.charging (day, subject, observed_at, district_id, energy_wh)
SELECT * FROM unnest(%(day)s::date[], %(subject)s::bytea[], %(observed_at)s::timestamptz[], %(district_id)s::smallint[], %(energy_wh)s::integer[])
ON CONFLICT DO NOTHING;

-- name: keep_charging
-- Store what a pseudonymous charging session has drawn; a repeated report is left out.
INSERT INTO personal.charging (day, subject, observed_at, district_id, energy_wh)
VALUES (%(day)s, %(subject)s, %(observed_at)s, %(district_id)s, %(energy_wh)s) ON CONFLICT DO NOTHING;

-- name: keep_position
-- Store a pseudonymous position; a repeated one is left out.
INSERT INTO personal.position (day, subject, observed_at, cell, speed_kmh)
VALUES (%(day)s, %(subject)s, %(observed_at)s, %(cell)s, %(speed_kmh)s) ON CONFLICT DO NOTHING;

-- name: keep_household
-- Store a pseudonymous household load; a repeated one is left out.
INSERT INTO personal.household (day, subject, observed_at, district_id, energy_wh)
VALUES (%(day)s, %(subject)s, %(observed_at)s, %(district_id)s, %(energy_wh)s) ON CONFLICT DO NOTHING;

-- name: keep_all_claim
-- Store many hashes of secrets; repeated ones are left out.
INSERT INTO personal.claim (day, purpose, subject, token_hash)
SELECT * FROM unnest(%(day)s::date[], %(purpose)s::text[], %(subject)s::bytea[], %(token_hash)s::bytea[])
ON CONFLICT DO NOTHING;

-- name: keep_claim
-- Store the hash of a secret; the first one of a day counts.
INSERT INTO personal.claim (day, purpose, subject, token_hash)
VALUES (%(day)s, %(purpose)s, %(subject)s, %(token_hash)s) ON CONFLICT DO NOTHING;

-- name: destroyed_through
-- The newest destroyed day of each purpose.
SELECT purpose, max(day) FROM governance.destruction GROUP BY purpose;

-- name: objections
-- Who objected, and under which key that was written.
SELECT purpose, fingerprint, key_name FROM governance.objection;
