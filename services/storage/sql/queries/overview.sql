-- Reads that only the dashboard needs. All as role arterial_api, all bounded in time.

-- name: data_version
-- A few numbers that change whenever a page could look different, and when the newest reading arrived.
SELECT
    (SELECT greatest(
        (SELECT received_at FROM sensing.traffic ORDER BY observed_at DESC LIMIT 1),
        (SELECT received_at FROM sensing.energy ORDER BY observed_at DESC LIMIT 1),
        (SELECT received_at FROM sensing.observation ORDER BY observed_at DESC LIMIT 1)
    )) AS newest_at,
    (SELECT coalesce(sum(stored + dead_lettered), 0)::bigint FROM sensing.ingest_session) AS processed,
    (SELECT coalesce(max(id), 0) FROM forecast.run) AS run,
    (SELECT date_trunc('hour', max(released_at)) FROM published.release) AS released_at;

-- name: districts
-- Every district with its outline.
SELECT id, code, name, outline FROM sensing.district ORDER BY name;

-- name: layer_names
-- Which layers of the base map exist.
SELECT name FROM sensing.layer UNION ALL SELECT 'districts' WHERE EXISTS (SELECT FROM sensing.district) ORDER BY 1;

-- name: sensors_now
-- Every sensor with its newest reading not after `now`, or none.
SELECT
    s.id, s.code, s.kind, s.name, s.lon, s.lat, s.district_id, s.road, s.free_flow_kmh, s.limit_kw,
    coalesce(s.step_seconds, CASE s.kind WHEN 'traffic' THEN 300 ELSE 900 END) AS step_seconds,
    s.online,
    coalesce(t.observed_at, e.observed_at, o.observed_at) AS observed_at,
    t.flow_vph, t.speed_kmh, e.power_kw
FROM sensing.sensor s
LEFT JOIN LATERAL (
    SELECT observed_at, flow_vph, speed_kmh FROM sensing.traffic
    WHERE s.kind = 'traffic' AND sensor_id = s.id AND observed_at <= %(now)s AND quality <= 3
    ORDER BY observed_at DESC LIMIT 1
) t ON true
LEFT JOIN LATERAL (
    SELECT observed_at, coalesce(power_kw, (
        SELECT before.power_kw FROM sensing.energy before
        WHERE before.sensor_id = s.id AND before.observed_at < newest.observed_at
            AND before.observed_at >= newest.observed_at - interval '2 hours' AND before.power_from_register
        ORDER BY before.observed_at DESC LIMIT 1
    )) AS power_kw -- the newest register has no power before the next one
    FROM sensing.energy newest
    WHERE s.kind = 'energy' AND sensor_id = s.id AND observed_at <= %(now)s AND quality <= 3
    ORDER BY observed_at DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT max(observed_at) AS observed_at FROM sensing.observation
    WHERE s.kind = 'environment' AND sensor_id = s.id
        AND observed_at BETWEEN %(now)s - interval '30 days' AND %(now)s
) o ON true
ORDER BY s.code;

-- name: city_traffic
-- Mean flow per detector and speed ratio of all vehicles together by time bucket: sums divided, no ratio averaged.
WITH readings AS (
    SELECT sensor_id, observed_at AS at, flow_vph, speed_kmh FROM sensing.traffic
    WHERE %(source)s = 'raw' AND observed_at >= %(start)s AND observed_at < %(end)s AND quality <= 3
    UNION ALL
    SELECT sensor_id, bucket, flow_vph, speed_kmh FROM sensing.traffic_15min
    WHERE %(source)s = '15min' AND bucket >= %(start)s AND bucket < %(end)s
    UNION ALL
    SELECT sensor_id, bucket, flow_vph, speed_kmh FROM sensing.traffic_hour
    WHERE %(source)s = 'hour' AND bucket >= %(start)s AND bucket < %(end)s
)
SELECT
    (extract(epoch FROM date_bin(%(width)s, r.at, timestamptz '2000-01-01Z')) * 1000000)::bigint AS bucket_us,
    avg(r.flow_vph)::float8 AS flow_vph,
    (sum(r.flow_vph / s.free_flow_kmh) FILTER (WHERE r.speed_kmh IS NOT NULL)
        / nullif(sum(r.flow_vph / greatest(r.speed_kmh, 0.01 * s.free_flow_kmh)) FILTER (WHERE s.free_flow_kmh IS NOT NULL
            AND r.speed_kmh IS NOT NULL), 0))::float8 AS speed_ratio, -- travel time at free flow over that as driven
    count(DISTINCT r.sensor_id)::float8 AS sensors
FROM readings r JOIN sensing.sensor s ON s.id = r.sensor_id
GROUP BY 1 ORDER BY 1;

-- name: city_load
-- Power of all feeders together by time bucket, and how many feeders are in it.
WITH readings AS (
    SELECT sensor_id, observed_at AS at, power_kw FROM sensing.energy
    WHERE %(source)s = 'raw' AND observed_at >= %(start)s AND observed_at < %(end)s AND quality <= 3
    UNION ALL
    SELECT sensor_id, bucket, power_kw FROM sensing.energy_15min
    WHERE %(source)s = '15min' AND bucket >= %(start)s AND bucket < %(end)s
    UNION ALL
    SELECT sensor_id, bucket, power_kw FROM sensing.energy_hour
    WHERE %(source)s = 'hour' AND bucket >= %(start)s AND bucket < %(end)s
), means AS (
    SELECT sensor_id, date_bin(%(width)s, at, timestamptz '2000-01-01Z') AS bucket, avg(power_kw) AS power_kw
    FROM readings WHERE power_kw IS NOT NULL GROUP BY 1, 2
)
SELECT
    (extract(epoch FROM bucket) * 1000000)::bigint AS bucket_us,
    sum(power_kw)::float8 AS power_kw,
    count(*)::float8 AS sensors
FROM means GROUP BY 1 ORDER BY 1;

-- name: traffic_at
-- Mean of every detector over one quarter of an hour.
SELECT sensor_id, avg(flow_vph)::float8 AS flow_vph, avg(speed_kmh)::float8 AS speed_kmh
FROM sensing.traffic
WHERE observed_at >= %(start)s AND observed_at < %(start)s + interval '15 minutes' AND quality <= 3
GROUP BY sensor_id;

-- name: energy_at
-- Mean power of every feeder over one quarter of an hour.
SELECT sensor_id, avg(power_kw)::float8 AS power_kw
FROM sensing.energy
WHERE observed_at >= %(start)s AND observed_at < %(start)s + interval '15 minutes' AND quality <= 3
GROUP BY sensor_id;

-- name: city_forecast
-- The newest forecast of every sensor of a kind that had been issued by `now`, for targets in a window. A forecast older
-- than a day is none.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (shard, step_seconds) id FROM forecast.run
    WHERE kind = %(kind)s AND issued_at <= %(now)s AND issued_at > %(now)s - interval '1 day'
    ORDER BY shard, step_seconds, issued_at DESC, id DESC
)
SELECT
    v.sensor_id, (extract(epoch FROM v.target_at) * 1000000)::bigint AS target_us,
    v.q05, v.q10, v.q25, v.q50, v.q75, v.q90, v.q95
FROM newest n JOIN forecast.value v ON v.run_id = n.id
WHERE v.quantity = %(quantity)s AND v.target_at >= %(start)s AND v.target_at < %(end)s
ORDER BY v.sensor_id, v.target_at;

-- name: city_chances
-- The newest chances of each class of congestion that had been issued by `now`, for targets in a window, as `city_forecast`.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (shard, step_seconds) id FROM forecast.run
    WHERE kind = 'traffic' AND issued_at <= %(now)s AND issued_at > %(now)s - interval '1 day'
    ORDER BY shard, step_seconds, issued_at DESC, id DESC
)
SELECT c.sensor_id,
    (extract(epoch FROM c.first_target_at) * 1000000)::bigint + (k - 1) * c.step_seconds * 1000000::bigint AS target_us,
    c.congested[k], c.slow[k], c.dense[k], c.free[k]
FROM newest n
JOIN forecast.congestion c ON c.run_id = n.id
CROSS JOIN LATERAL generate_series(
    greatest(1, ceil(extract(epoch FROM %(start)s - c.first_target_at) / c.step_seconds)::integer + 1),
    least(cardinality(c.free), ceil(extract(epoch FROM %(end)s - c.first_target_at) / c.step_seconds)::integer)
) AS k
ORDER BY c.sensor_id, k;

-- name: heavy_ahead
-- Per target time of the newest chances that had been issued by `now`: how many detectors are likely to be congested, how
-- many may be, how many there are, and how many are to be expected.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (shard, step_seconds) id FROM forecast.run
    WHERE kind = 'traffic' AND issued_at <= %(now)s AND issued_at > %(now)s - interval '1 day'
    ORDER BY shard, step_seconds, issued_at DESC, id DESC
), ahead AS (
    SELECT c.first_target_at + (heavy.k - 1) * make_interval(secs => c.step_seconds) AS target_at, heavy.chance
    FROM newest n
    JOIN forecast.congestion c ON c.run_id = n.id
    CROSS JOIN LATERAL unnest(c.congested) WITH ORDINALITY AS heavy (chance, k)
)
SELECT
    target_at, count(*) FILTER (WHERE chance >= %(likely)s) AS likely,
    count(*) FILTER (WHERE chance >= %(possible)s AND chance < %(likely)s) AS possible,
    count(*) AS detectors, sum(chance)::float8 AS expected
FROM ahead WHERE target_at >= %(start)s AND target_at < %(end)s
GROUP BY target_at ORDER BY target_at;

-- name: forecast_states
-- How many series of the newest forecasts that had been issued by `now` are in which state, and when the oldest was issued.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (kind, shard, step_seconds) id, issued_at FROM forecast.run
    WHERE issued_at <= %(now)s AND issued_at > %(now)s - interval '1 day'
    ORDER BY kind, shard, step_seconds, issued_at DESC, id DESC
)
SELECT s.state, count(*) AS series, min(n.issued_at) AS issued_at
FROM newest n JOIN forecast.series s ON s.run_id = n.id
GROUP BY s.state;

-- name: ingest_totals
-- What ingest has done since its sessions began.
SELECT
    coalesce(sum(received), 0)::bigint AS received, coalesce(sum(stored), 0)::bigint AS stored,
    coalesce(sum(duplicate), 0)::bigint AS duplicate, coalesce(sum(dead_lettered), 0)::bigint AS dead_lettered,
    coalesce(sum(spooled), 0)::bigint AS spooled, coalesce(sum(in_flight), 0)::bigint AS in_flight,
    max(seen_at) AS seen_at
FROM sensing.ingest_session;

-- name: dead_letters
-- Dead letters of the last hour and of the hour before, with the commonest reason of the last hour.
SELECT
    count(*) FILTER (WHERE received_at > %(now)s - interval '1 hour') AS last_hour,
    count(*) FILTER (WHERE received_at <= %(now)s - interval '1 hour') AS hour_before,
    mode() WITHIN GROUP (ORDER BY reason) FILTER (WHERE received_at > %(now)s - interval '1 hour') AS reason
FROM sensing.dead_letter WHERE received_at > %(now)s - interval '2 hours' AND received_at <= %(now)s;

-- name: sensor_series
-- One quantity of one sensor by time: as measured, by quarter hour or by hour.
SELECT (extract(epoch FROM at) * 1000000)::bigint AS at_us, value
FROM (
    SELECT observed_at AS at,
        CASE %(quantity)s WHEN 'flow_vph' THEN flow_vph WHEN 'speed_kmh' THEN speed_kmh ELSE occupancy END::float8 AS value
    FROM sensing.traffic
    WHERE %(source)s = 'raw' AND %(quantity)s IN ('flow_vph', 'speed_kmh', 'occupancy')
        AND sensor_id = %(sensor)s AND observed_at >= %(start)s AND observed_at < %(end)s AND quality <= 3
    UNION ALL
    SELECT bucket,
        CASE %(quantity)s WHEN 'flow_vph' THEN flow_vph WHEN 'speed_kmh' THEN speed_kmh ELSE occupancy END::float8
    FROM sensing.traffic_15min
    WHERE %(source)s <> 'raw' AND %(quantity)s IN ('flow_vph', 'speed_kmh', 'occupancy')
        AND sensor_id = %(sensor)s AND bucket >= %(start)s AND bucket < %(end)s
    UNION ALL
    SELECT observed_at, power_kw::float8 FROM sensing.energy
    WHERE %(quantity)s = 'power_kw' AND sensor_id = %(sensor)s
        AND observed_at >= %(start)s AND observed_at < %(end)s AND quality <= 3
    UNION ALL
    SELECT observed_at, value FROM sensing.observation
    WHERE %(quantity)s NOT IN ('flow_vph', 'speed_kmh', 'occupancy', 'power_kw') AND quantity = %(quantity)s
        AND sensor_id = %(sensor)s AND observed_at >= %(start)s AND observed_at < %(end)s AND quality <= 3
) readings
ORDER BY 1;
