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

-- name: touched_span
-- From the first touched hour to the end of the last.
SELECT min(hour), max(hour) + interval '1 hour' FROM touched;

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
-- The roll-ups of the touched hours, computed from the readings: quarters from readings, hours from their quarters. Sums
-- run in time order, so the same readings give the same bytes whatever order they arrived in. Bad rows (flag 4) count
-- as rows but not in the means. OFFSET 0 keeps one index scan per touched hour; CASE instead of FILTER lets all sums of a
-- group share one sort; a register reading is a (time, value) pair, so that its maximum is the last one.
-- No touched hour lies outside [%(first)s, %(after)s), which leaves out most partitions or chunks before the first search.
SET LOCAL work_mem = '64MB';
CREATE TEMPORARY TABLE quarter_traffic ON COMMIT DROP AS
SELECT sensor_id, bucket, hour, count(*)::integer AS rows, count(good)::integer AS good,
    sum(flow ORDER BY observed_at) AS flow_sum, count(flow) AS flows,
    sum(speed * weight ORDER BY observed_at) AS weighted_sum, sum(weight ORDER BY observed_at) AS weight_sum,
    sum(speed ORDER BY observed_at) AS speed_sum, count(speed) AS speeds,
    sum(occupancy ORDER BY observed_at) AS occupancy_sum, count(occupancy) AS occupancies
FROM (
    SELECT t.sensor_id, t.hour, date_bin('15 minutes', r.observed_at, 'epoch') AS bucket, r.observed_at,
        CASE WHEN r.quality < 4 THEN true END AS good,
        CASE WHEN r.quality < 4 THEN r.flow_vph::double precision END AS flow,
        CASE WHEN r.quality < 4 THEN r.speed_kmh::double precision END AS speed,
        CASE WHEN r.quality < 4 AND r.speed_kmh IS NOT NULL THEN r.flow_vph::double precision END AS weight,
        CASE WHEN r.quality < 4 THEN r.occupancy::double precision END AS occupancy
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT * FROM sensing.traffic r
        WHERE r.sensor_id = t.sensor_id AND r.observed_at >= t.hour AND r.observed_at < t.hour + interval '1 hour'
            AND r.observed_at >= %(first)s AND r.observed_at < %(after)s
        OFFSET 0
    ) r
    WHERE t.kind = 'traffic'
) usable
GROUP BY sensor_id, bucket, hour;

CREATE TEMPORARY TABLE fresh_traffic ON COMMIT DROP AS
SELECT width, sensor_id, bucket, rows, good, (flow_sum / nullif(flows, 0))::real AS flow_vph,
    coalesce(weighted_sum / nullif(weight_sum, 0), speed_sum / nullif(speeds, 0))::real AS speed_kmh,
    (occupancy_sum / nullif(occupancies, 0))::real AS occupancy
FROM (
    SELECT interval '15 minutes' AS width, sensor_id, bucket, rows, good, flow_sum, flows, weighted_sum, weight_sum,
        speed_sum, speeds, occupancy_sum, occupancies
    FROM quarter_traffic
    UNION ALL
    SELECT interval '1 hour', sensor_id, hour, sum(rows)::integer, sum(good)::integer,
        sum(flow_sum ORDER BY bucket), sum(flows), sum(weighted_sum ORDER BY bucket), sum(weight_sum ORDER BY bucket),
        sum(speed_sum ORDER BY bucket), sum(speeds), sum(occupancy_sum ORDER BY bucket), sum(occupancies)
    FROM quarter_traffic
    GROUP BY sensor_id, hour
) sums;

CREATE TEMPORARY TABLE quarter_energy ON COMMIT DROP AS
SELECT sensor_id, bucket, hour, count(*)::integer AS rows, count(good)::integer AS good,
    sum(power ORDER BY observed_at) AS power_sum, count(power) AS powers, max(power) AS peak,
    max(register) AS last_read
FROM (
    SELECT t.sensor_id, t.hour, date_bin('15 minutes', r.observed_at, 'epoch') AS bucket, r.observed_at,
        CASE WHEN r.quality < 4 THEN true END AS good,
        CASE WHEN r.quality < 4 THEN r.power_kw::double precision END AS power,
        CASE WHEN r.quality < 4 AND r.energy_kwh IS NOT NULL
            THEN ARRAY[extract(epoch FROM r.observed_at)::double precision, r.energy_kwh] END AS register
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT * FROM sensing.energy r
        WHERE r.sensor_id = t.sensor_id AND r.observed_at >= t.hour AND r.observed_at < t.hour + interval '1 hour'
            AND r.observed_at >= %(first)s AND r.observed_at < %(after)s
        OFFSET 0
    ) r
    WHERE t.kind = 'energy'
) usable
GROUP BY sensor_id, bucket, hour;

CREATE TEMPORARY TABLE fresh_energy ON COMMIT DROP AS
SELECT interval '15 minutes' AS width, sensor_id, bucket, rows, good, (power_sum / nullif(powers, 0))::real AS power_kw,
    peak::real AS peak_kw, last_read[2] AS energy_kwh
FROM quarter_energy
UNION ALL
SELECT interval '1 hour', sensor_id, hour, sum(rows)::integer, sum(good)::integer,
    (sum(power_sum ORDER BY bucket) / nullif(sum(powers), 0))::real, max(peak)::real, (max(last_read))[2]
FROM quarter_energy
GROUP BY sensor_id, hour;

CREATE TEMPORARY TABLE quarter_observation ON COMMIT DROP AS
SELECT sensor_id, quantity, bucket, hour, count(*)::integer AS rows, count(good)::integer AS good,
    sum(value ORDER BY observed_at) AS value_sum, count(value) AS values, min(value) AS lowest, max(value) AS highest
FROM (
    SELECT t.sensor_id, r.quantity, t.hour, date_bin('15 minutes', r.observed_at, 'epoch') AS bucket, r.observed_at,
        CASE WHEN r.quality < 4 THEN true END AS good,
        CASE WHEN r.quality < 4 THEN r.value END AS value
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT * FROM sensing.observation r
        WHERE r.sensor_id = t.sensor_id AND r.observed_at >= t.hour AND r.observed_at < t.hour + interval '1 hour'
            AND r.observed_at >= %(first)s AND r.observed_at < %(after)s
        OFFSET 0
    ) r
    WHERE t.kind = 'observation'
) usable
GROUP BY sensor_id, quantity, bucket, hour;

CREATE TEMPORARY TABLE fresh_observation ON COMMIT DROP AS
SELECT interval '15 minutes' AS width, sensor_id, quantity, bucket, rows, good, value_sum / nullif(values, 0) AS value,
    lowest, highest
FROM quarter_observation
UNION ALL
SELECT interval '1 hour', sensor_id, quantity, hour, sum(rows)::integer, sum(good)::integer,
    sum(value_sum ORDER BY bucket) / nullif(sum(values), 0), min(lowest), max(highest)
FROM quarter_observation
GROUP BY sensor_id, quantity, hour;

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
