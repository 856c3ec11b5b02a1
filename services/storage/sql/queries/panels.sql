-- The history that models are fitted to: 15-minute means, complete at the moment of asking, one row per sensor with its
-- times and values as arrays (a row per value would cost more than the sums).
-- An hour with a pending dirty row is read from the readings, so a roll-up that lags is never a forecast that lags.

-- name: sensors
-- What is known about the sensors of a kind in a shard.
SELECT id, code, step_seconds, free_flow_kmh, capacity_vph, district_id::integer FROM sensing.sensor
WHERE kind = %(kind)s AND id >= %(first)s AND id < %(end)s
ORDER BY id

-- name: shards
-- Which blocks of %(size)s sensor numbers hold a sensor that can be forecast.
SELECT DISTINCT id / %(size)s FROM sensing.sensor WHERE kind IN ('traffic', 'energy', 'environment') ORDER BY 1

-- name: oldest_traffic
-- When the history since a time begins for each sensor, whether rolled up yet or not.
WITH pending AS MATERIALIZED (
    SELECT sensor_id, min(hour) AS hour FROM sensing.dirty_hour
    WHERE kind = 'traffic' AND hour >= %(since)s AND hour < %(until)s AND sensor_id = ANY (%(ids)s)
    GROUP BY sensor_id
)
SELECT wanted.id, least(
    (SELECT min(bucket) FROM sensing.traffic_15min WHERE sensor_id = wanted.id AND bucket >= %(since)s AND bucket < %(until)s),
    (SELECT min(hour) FROM pending WHERE sensor_id = wanted.id)
)
FROM unnest(%(ids)s::integer[]) AS wanted (id)

-- name: oldest_energy
-- When the history since a time begins for each sensor, whether rolled up yet or not.
WITH pending AS MATERIALIZED (
    SELECT sensor_id, min(hour) AS hour FROM sensing.dirty_hour
    WHERE kind = 'energy' AND hour >= %(since)s AND hour < %(until)s AND sensor_id = ANY (%(ids)s)
    GROUP BY sensor_id
)
SELECT wanted.id, least(
    (SELECT min(bucket) FROM sensing.energy_15min WHERE sensor_id = wanted.id AND bucket >= %(since)s AND bucket < %(until)s),
    (SELECT min(hour) FROM pending WHERE sensor_id = wanted.id)
)
FROM unnest(%(ids)s::integer[]) AS wanted (id)

-- name: oldest_environment
-- When the history since a time begins for each sensor, whether rolled up yet or not.
WITH pending AS MATERIALIZED (
    SELECT sensor_id, min(hour) AS hour FROM sensing.dirty_hour
    WHERE kind = 'observation' AND hour >= %(since)s AND hour < %(until)s AND sensor_id = ANY (%(ids)s)
    GROUP BY sensor_id
)
SELECT wanted.id, least(
    (SELECT min(bucket) FROM sensing.observation_15min WHERE sensor_id = wanted.id AND bucket >= %(since)s AND bucket < %(until)s),
    (SELECT min(hour) FROM pending WHERE sensor_id = wanted.id)
)
FROM unnest(%(ids)s::integer[]) AS wanted (id)

-- name: traffic
-- Flow and speed of the buckets of [%(since)s, %(until)s), as known now.
SELECT sensor_id, array_send(array_agg(bucket)), array_send(array_agg(v1)), array_send(array_agg(v2))
FROM (
    WITH dirty AS MATERIALIZED (
        SELECT DISTINCT sensor_id, hour FROM sensing.dirty_hour
        WHERE kind = 'traffic' AND hour >= %(since)s AND hour < %(until)s AND sensor_id = ANY (%(ids)s)
    )
    SELECT sensor_id, bucket, coalesce(flow_vph, 'NaN')::real AS v1, coalesce(speed_kmh, 'NaN')::real AS v2
    FROM sensing.traffic_15min AS rolled
    WHERE sensor_id = ANY (%(ids)s) AND bucket >= %(since)s AND bucket < %(until)s
        AND NOT EXISTS (SELECT FROM dirty WHERE dirty.sensor_id = rolled.sensor_id
            AND dirty.hour = date_trunc('hour', rolled.bucket, 'UTC'))
    UNION ALL
    SELECT raw.sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        (coalesce(avg(flow_vph), 'NaN'))::real AS v1,
        (coalesce(sum(speed_kmh::double precision * flow_vph)
            / nullif(sum(flow_vph::double precision) FILTER (WHERE speed_kmh IS NOT NULL), 0), avg(speed_kmh), 'NaN'))::real AS v2
    FROM dirty
    JOIN sensing.traffic AS raw ON raw.sensor_id = dirty.sensor_id
        AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
    WHERE observed_at >= %(since)s AND observed_at < %(until)s AND quality < 4
    GROUP BY raw.sensor_id, 2
) AS known
GROUP BY sensor_id

-- name: energy
-- Power of the buckets of [%(since)s, %(until)s), as known now.
SELECT sensor_id, array_send(array_agg(bucket)), array_send(array_agg(v1))
FROM (
    WITH dirty AS MATERIALIZED (
        SELECT DISTINCT sensor_id, hour FROM sensing.dirty_hour
        WHERE kind = 'energy' AND hour >= %(since)s AND hour < %(until)s AND sensor_id = ANY (%(ids)s)
    )
    SELECT sensor_id, bucket, coalesce(power_kw, 'NaN')::real AS v1
    FROM sensing.energy_15min AS rolled
    WHERE sensor_id = ANY (%(ids)s) AND bucket >= %(since)s AND bucket < %(until)s
        AND NOT EXISTS (SELECT FROM dirty WHERE dirty.sensor_id = rolled.sensor_id
            AND dirty.hour = date_trunc('hour', rolled.bucket, 'UTC'))
    UNION ALL
    SELECT raw.sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        (coalesce(avg(power_kw), 'NaN'))::real AS v1
    FROM dirty
    JOIN sensing.energy AS raw ON raw.sensor_id = dirty.sensor_id
        AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
    WHERE observed_at >= %(since)s AND observed_at < %(until)s AND quality < 4
    GROUP BY raw.sensor_id, 2
) AS known
GROUP BY sensor_id

-- name: quantities
-- The quantities of the narrow table that were observed in [%(since)s, %(until)s).
SELECT DISTINCT quantity FROM sensing.observation_15min
WHERE sensor_id = ANY (%(ids)s) AND bucket >= %(since)s AND bucket < %(until)s
UNION
SELECT DISTINCT raw.quantity
FROM sensing.dirty_hour AS dirty
JOIN sensing.observation AS raw ON raw.sensor_id = dirty.sensor_id
    AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
WHERE dirty.kind = 'observation' AND dirty.sensor_id = ANY (%(ids)s) AND dirty.hour >= %(since)s AND dirty.hour < %(until)s
    AND observed_at >= %(since)s
ORDER BY quantity

-- name: environment
-- One quantity of the narrow table of the buckets of [%(since)s, %(until)s), as known now.
SELECT sensor_id, array_send(array_agg(bucket)), array_send(array_agg(v1))
FROM (
    WITH dirty AS MATERIALIZED (
        SELECT DISTINCT sensor_id, hour FROM sensing.dirty_hour
        WHERE kind = 'observation' AND hour >= %(since)s AND hour < %(until)s AND sensor_id = ANY (%(ids)s)
    )
    SELECT sensor_id, bucket, coalesce(value, 'NaN')::double precision AS v1
    FROM sensing.observation_15min AS rolled
    WHERE quantity = %(quantity)s AND sensor_id = ANY (%(ids)s) AND bucket >= %(since)s AND bucket < %(until)s
        AND NOT EXISTS (SELECT FROM dirty WHERE dirty.sensor_id = rolled.sensor_id
            AND dirty.hour = date_trunc('hour', rolled.bucket, 'UTC'))
    UNION ALL
    SELECT raw.sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        (avg(value))::double precision AS v1
    FROM dirty
    JOIN sensing.observation AS raw ON raw.sensor_id = dirty.sensor_id AND raw.quantity = %(quantity)s
        AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
    WHERE observed_at >= %(since)s AND observed_at < %(until)s AND quality < 4
    GROUP BY raw.sensor_id, 2
) AS known
GROUP BY sensor_id

-- name: traffic_as_of
-- Flow and speed of [%(since)s, %(until)s) from what had been received by %(received_by)s.
SELECT sensor_id, array_send(array_agg(bucket)), array_send(array_agg(v1)), array_send(array_agg(v2))
FROM (
    SELECT sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        (coalesce(avg(flow_vph), 'NaN'))::real AS v1,
        (coalesce(sum(speed_kmh::double precision * flow_vph)
            / nullif(sum(flow_vph::double precision) FILTER (WHERE speed_kmh IS NOT NULL), 0), avg(speed_kmh), 'NaN'))::real AS v2
    FROM sensing.traffic
    WHERE sensor_id = ANY (%(ids)s) AND observed_at >= %(since)s AND observed_at < %(until)s
        AND received_at <= %(received_by)s AND quality < 4
    GROUP BY sensor_id, 2
) AS known
GROUP BY sensor_id

-- name: energy_as_of
-- Power of [%(since)s, %(until)s) from what had been received by %(received_by)s.
SELECT sensor_id, array_send(array_agg(bucket)), array_send(array_agg(v1))
FROM (
    SELECT sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        (coalesce(avg(power_kw), 'NaN'))::real AS v1
    FROM sensing.energy
    WHERE sensor_id = ANY (%(ids)s) AND observed_at >= %(since)s AND observed_at < %(until)s
        AND received_at <= %(received_by)s AND quality < 4
    GROUP BY sensor_id, 2
) AS known
GROUP BY sensor_id

-- name: quantities_as_of
-- The quantities of the narrow table of [%(since)s, %(until)s) that had been received by %(received_by)s.
SELECT DISTINCT quantity FROM sensing.observation
WHERE sensor_id = ANY (%(ids)s) AND observed_at >= %(since)s AND observed_at < %(until)s
    AND received_at <= %(received_by)s
ORDER BY quantity

-- name: environment_as_of
-- One quantity of [%(since)s, %(until)s) from what had been received by %(received_by)s.
SELECT sensor_id, array_send(array_agg(bucket)), array_send(array_agg(v1))
FROM (
    SELECT sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        (avg(value))::double precision AS v1
    FROM sensing.observation
    WHERE sensor_id = ANY (%(ids)s) AND quantity = %(quantity)s AND observed_at >= %(since)s AND observed_at < %(until)s
        AND received_at <= %(received_by)s AND quality < 4
    GROUP BY sensor_id, 2
) AS known
GROUP BY sensor_id
