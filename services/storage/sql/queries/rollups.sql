-- name: lock
-- One roll-up at a time: two at once could write an older mean over a newer one.
SELECT pg_advisory_xact_lock(hashtext('sensing.rollup'));

-- name: make_touched
-- The sensor-hours of this transaction.
CREATE TEMPORARY TABLE touched (kind text NOT NULL, sensor_id integer NOT NULL, hour timestamptz NOT NULL) ON COMMIT DROP;

-- name: take_dirty
-- Move up to %(most)s dirty hours into this transaction; what is committed later has a dirty row of its own.
WITH taken AS (
    DELETE FROM sensing.dirty_hour
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM sensing.dirty_hour LIMIT %(most)s))
    RETURNING kind, sensor_id, hour
)
INSERT INTO touched SELECT DISTINCT kind, sensor_id, hour FROM taken;

-- name: analyze_touched
ANALYZE touched;

-- name: touch_range
-- Every sensor-hour with readings in [%(start)s, %(end)s), to compare or repair it.
INSERT INTO touched
SELECT DISTINCT 'traffic', sensor_id, date_trunc('hour', observed_at, 'UTC') FROM sensing.traffic
WHERE observed_at >= %(start)s AND observed_at < %(end)s
UNION ALL
SELECT DISTINCT 'energy', sensor_id, date_trunc('hour', observed_at, 'UTC') FROM sensing.energy
WHERE observed_at >= %(start)s AND observed_at < %(end)s
UNION ALL
SELECT DISTINCT 'observation', sensor_id, date_trunc('hour', observed_at, 'UTC') FROM sensing.observation
WHERE observed_at >= %(start)s AND observed_at < %(end)s;

-- name: make_fresh
-- The roll-ups of the touched hours, computed from the readings. Sums run in time order, so that the same readings give
-- the same bytes whatever order they arrived in. Bad rows (flag 4) count as rows but not in the means.
CREATE TEMPORARY TABLE fresh_traffic ON COMMIT DROP AS
SELECT w.width, r.sensor_id, date_bin(w.width, r.observed_at, 'epoch') AS bucket,
    count(*)::integer AS rows, (count(*) FILTER (WHERE r.quality IN (1, 2)))::integer AS good,
    avg(r.flow_vph::double precision ORDER BY r.observed_at) FILTER (WHERE r.quality < 4)::real AS flow_vph,
    coalesce(
        sum(r.speed_kmh::double precision * r.flow_vph ORDER BY r.observed_at)
            FILTER (WHERE r.quality < 4 AND r.speed_kmh IS NOT NULL)
        / nullif(sum(r.flow_vph::double precision ORDER BY r.observed_at)
            FILTER (WHERE r.quality < 4 AND r.speed_kmh IS NOT NULL), 0),
        avg(r.speed_kmh::double precision ORDER BY r.observed_at) FILTER (WHERE r.quality < 4)
    )::real AS speed_kmh,
    avg(r.occupancy::double precision ORDER BY r.observed_at) FILTER (WHERE r.quality < 4)::real AS occupancy
FROM touched t
JOIN sensing.traffic r ON r.sensor_id = t.sensor_id AND r.observed_at >= t.hour AND r.observed_at < t.hour + interval '1 hour'
CROSS JOIN (VALUES (interval '15 minutes'), (interval '1 hour')) AS w (width)
WHERE t.kind = 'traffic'
GROUP BY w.width, r.sensor_id, bucket;

CREATE TEMPORARY TABLE fresh_energy ON COMMIT DROP AS
SELECT w.width, r.sensor_id, date_bin(w.width, r.observed_at, 'epoch') AS bucket,
    count(*)::integer AS rows, (count(*) FILTER (WHERE r.quality IN (1, 2)))::integer AS good,
    avg(r.power_kw::double precision ORDER BY r.observed_at) FILTER (WHERE r.quality < 4)::real AS power_kw,
    max(r.power_kw) FILTER (WHERE r.quality < 4) AS peak_kw,
    (array_agg(r.energy_kwh ORDER BY r.observed_at DESC) FILTER (WHERE r.quality < 4 AND r.energy_kwh IS NOT NULL))[1] AS energy_kwh
FROM touched t
JOIN sensing.energy r ON r.sensor_id = t.sensor_id AND r.observed_at >= t.hour AND r.observed_at < t.hour + interval '1 hour'
CROSS JOIN (VALUES (interval '15 minutes'), (interval '1 hour')) AS w (width)
WHERE t.kind = 'energy'
GROUP BY w.width, r.sensor_id, bucket;

CREATE TEMPORARY TABLE fresh_observation ON COMMIT DROP AS
SELECT w.width, r.sensor_id, r.quantity, date_bin(w.width, r.observed_at, 'epoch') AS bucket,
    count(*)::integer AS rows, (count(*) FILTER (WHERE r.quality IN (1, 2)))::integer AS good,
    avg(r.value ORDER BY r.observed_at) FILTER (WHERE r.quality < 4) AS value,
    min(r.value) FILTER (WHERE r.quality < 4) AS lowest, max(r.value) FILTER (WHERE r.quality < 4) AS highest
FROM touched t
JOIN sensing.observation r ON r.sensor_id = t.sensor_id AND r.observed_at >= t.hour AND r.observed_at < t.hour + interval '1 hour'
CROSS JOIN (VALUES (interval '15 minutes'), (interval '1 hour')) AS w (width)
WHERE t.kind = 'observation'
GROUP BY w.width, r.sensor_id, r.quantity, bucket;

-- name: store_fresh
-- Write the fresh roll-ups over the old ones.
INSERT INTO sensing.traffic_15min AS s (sensor_id, bucket, rows, good, flow_vph, speed_kmh, occupancy)
SELECT sensor_id, bucket, rows, good, flow_vph, speed_kmh, occupancy FROM fresh_traffic WHERE width = interval '15 minutes'
ON CONFLICT (sensor_id, bucket) DO UPDATE SET rows = excluded.rows, good = excluded.good,
    flow_vph = excluded.flow_vph, speed_kmh = excluded.speed_kmh, occupancy = excluded.occupancy;
INSERT INTO sensing.traffic_hour AS s (sensor_id, bucket, rows, good, flow_vph, speed_kmh, occupancy)
SELECT sensor_id, bucket, rows, good, flow_vph, speed_kmh, occupancy FROM fresh_traffic WHERE width = interval '1 hour'
ON CONFLICT (sensor_id, bucket) DO UPDATE SET rows = excluded.rows, good = excluded.good,
    flow_vph = excluded.flow_vph, speed_kmh = excluded.speed_kmh, occupancy = excluded.occupancy;
INSERT INTO sensing.energy_15min AS s (sensor_id, bucket, rows, good, power_kw, peak_kw, energy_kwh)
SELECT sensor_id, bucket, rows, good, power_kw, peak_kw, energy_kwh FROM fresh_energy WHERE width = interval '15 minutes'
ON CONFLICT (sensor_id, bucket) DO UPDATE SET rows = excluded.rows, good = excluded.good,
    power_kw = excluded.power_kw, peak_kw = excluded.peak_kw, energy_kwh = excluded.energy_kwh;
INSERT INTO sensing.energy_hour AS s (sensor_id, bucket, rows, good, power_kw, peak_kw, energy_kwh)
SELECT sensor_id, bucket, rows, good, power_kw, peak_kw, energy_kwh FROM fresh_energy WHERE width = interval '1 hour'
ON CONFLICT (sensor_id, bucket) DO UPDATE SET rows = excluded.rows, good = excluded.good,
    power_kw = excluded.power_kw, peak_kw = excluded.peak_kw, energy_kwh = excluded.energy_kwh;
INSERT INTO sensing.observation_15min AS s (sensor_id, quantity, bucket, rows, good, value, lowest, highest)
SELECT sensor_id, quantity, bucket, rows, good, value, lowest, highest FROM fresh_observation WHERE width = interval '15 minutes'
ON CONFLICT (sensor_id, quantity, bucket) DO UPDATE SET rows = excluded.rows, good = excluded.good,
    value = excluded.value, lowest = excluded.lowest, highest = excluded.highest;
INSERT INTO sensing.observation_hour AS s (sensor_id, quantity, bucket, rows, good, value, lowest, highest)
SELECT sensor_id, quantity, bucket, rows, good, value, lowest, highest FROM fresh_observation WHERE width = interval '1 hour'
ON CONFLICT (sensor_id, quantity, bucket) DO UPDATE SET rows = excluded.rows, good = excluded.good,
    value = excluded.value, lowest = excluded.lowest, highest = excluded.highest;

-- name: differences
-- Roll-up rows of [%(start)s, %(end)s) that are missing, wrong or without readings, counted per table.
SELECT 'traffic_15min' AS rollup, count(*) FROM (SELECT * FROM fresh_traffic WHERE width = interval '15 minutes') f
FULL JOIN (SELECT * FROM sensing.traffic_15min WHERE bucket >= %(start)s AND bucket < %(end)s) s USING (sensor_id, bucket)
WHERE (f.rows, f.good, f.flow_vph, f.speed_kmh, f.occupancy) IS DISTINCT FROM (s.rows, s.good, s.flow_vph, s.speed_kmh, s.occupancy)
UNION ALL
SELECT 'traffic_hour', count(*) FROM (SELECT * FROM fresh_traffic WHERE width = interval '1 hour') f
FULL JOIN (SELECT * FROM sensing.traffic_hour WHERE bucket >= %(start)s AND bucket < %(end)s) s USING (sensor_id, bucket)
WHERE (f.rows, f.good, f.flow_vph, f.speed_kmh, f.occupancy) IS DISTINCT FROM (s.rows, s.good, s.flow_vph, s.speed_kmh, s.occupancy)
UNION ALL
SELECT 'energy_15min', count(*) FROM (SELECT * FROM fresh_energy WHERE width = interval '15 minutes') f
FULL JOIN (SELECT * FROM sensing.energy_15min WHERE bucket >= %(start)s AND bucket < %(end)s) s USING (sensor_id, bucket)
WHERE (f.rows, f.good, f.power_kw, f.peak_kw, f.energy_kwh) IS DISTINCT FROM (s.rows, s.good, s.power_kw, s.peak_kw, s.energy_kwh)
UNION ALL
SELECT 'energy_hour', count(*) FROM (SELECT * FROM fresh_energy WHERE width = interval '1 hour') f
FULL JOIN (SELECT * FROM sensing.energy_hour WHERE bucket >= %(start)s AND bucket < %(end)s) s USING (sensor_id, bucket)
WHERE (f.rows, f.good, f.power_kw, f.peak_kw, f.energy_kwh) IS DISTINCT FROM (s.rows, s.good, s.power_kw, s.peak_kw, s.energy_kwh)
UNION ALL
SELECT 'observation_15min', count(*) FROM (SELECT * FROM fresh_observation WHERE width = interval '15 minutes') f
FULL JOIN (SELECT * FROM sensing.observation_15min WHERE bucket >= %(start)s AND bucket < %(end)s) s USING (sensor_id, quantity, bucket)
WHERE (f.rows, f.good, f.value, f.lowest, f.highest) IS DISTINCT FROM (s.rows, s.good, s.value, s.lowest, s.highest)
UNION ALL
SELECT 'observation_hour', count(*) FROM (SELECT * FROM fresh_observation WHERE width = interval '1 hour') f
FULL JOIN (SELECT * FROM sensing.observation_hour WHERE bucket >= %(start)s AND bucket < %(end)s) s USING (sensor_id, quantity, bucket)
WHERE (f.rows, f.good, f.value, f.lowest, f.highest) IS DISTINCT FROM (s.rows, s.good, s.value, s.lowest, s.highest);

-- name: remove_orphans
-- Roll-up rows of [%(start)s, %(end)s) whose readings are gone.
DELETE FROM sensing.traffic_15min s WHERE bucket >= %(start)s AND bucket < %(end)s
    AND NOT EXISTS (SELECT FROM fresh_traffic f WHERE f.width = interval '15 minutes' AND (f.sensor_id, f.bucket) = (s.sensor_id, s.bucket));
DELETE FROM sensing.traffic_hour s WHERE bucket >= %(start)s AND bucket < %(end)s
    AND NOT EXISTS (SELECT FROM fresh_traffic f WHERE f.width = interval '1 hour' AND (f.sensor_id, f.bucket) = (s.sensor_id, s.bucket));
DELETE FROM sensing.energy_15min s WHERE bucket >= %(start)s AND bucket < %(end)s
    AND NOT EXISTS (SELECT FROM fresh_energy f WHERE f.width = interval '15 minutes' AND (f.sensor_id, f.bucket) = (s.sensor_id, s.bucket));
DELETE FROM sensing.energy_hour s WHERE bucket >= %(start)s AND bucket < %(end)s
    AND NOT EXISTS (SELECT FROM fresh_energy f WHERE f.width = interval '1 hour' AND (f.sensor_id, f.bucket) = (s.sensor_id, s.bucket));
DELETE FROM sensing.observation_15min s WHERE bucket >= %(start)s AND bucket < %(end)s
    AND NOT EXISTS (SELECT FROM fresh_observation f WHERE f.width = interval '15 minutes'
        AND (f.sensor_id, f.quantity, f.bucket) = (s.sensor_id, s.quantity, s.bucket));
DELETE FROM sensing.observation_hour s WHERE bucket >= %(start)s AND bucket < %(end)s
    AND NOT EXISTS (SELECT FROM fresh_observation f WHERE f.width = interval '1 hour'
        AND (f.sensor_id, f.quantity, f.bucket) = (s.sensor_id, s.quantity, s.bucket));

-- name: span
-- First and last stamp of all readings.
SELECT least(min(t.first), min(e.first), min(o.first)), greatest(max(t.last), max(e.last), max(o.last))
FROM (SELECT min(observed_at) AS first, max(observed_at) AS last FROM sensing.traffic) t,
     (SELECT min(observed_at) AS first, max(observed_at) AS last FROM sensing.energy) e,
     (SELECT min(observed_at) AS first, max(observed_at) AS last FROM sensing.observation) o;
