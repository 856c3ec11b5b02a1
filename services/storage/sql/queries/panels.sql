-- The history that models are fitted to: 15-minute means, complete at the moment of asking.
-- An hour with a pending dirty row is read from the readings, so a roll-up that lags is never a forecast that lags.

-- name: sensors
-- What is known about the sensors of a kind.
SELECT id, code, step_seconds FROM sensing.sensor WHERE kind = %(kind)s ORDER BY id

-- name: traffic
-- Flow and speed of the buckets of [%(since)s, %(until)s), as known now.
COPY (
    WITH dirty AS MATERIALIZED (
        SELECT DISTINCT sensor_id, hour FROM sensing.dirty_hour
        WHERE kind = 'traffic' AND hour >= %(since)s AND hour < %(until)s
    )
    SELECT sensor_id, bucket,
        coalesce(flow_vph, 'NaN')::double precision, coalesce(speed_kmh, 'NaN')::double precision
    FROM sensing.traffic_15min AS rolled
    WHERE bucket >= %(since)s AND bucket < %(until)s
        AND NOT EXISTS (SELECT FROM dirty WHERE dirty.sensor_id = rolled.sensor_id
            AND dirty.hour = date_trunc('hour', rolled.bucket, 'UTC'))
    UNION ALL
    SELECT raw.sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        coalesce(avg(flow_vph), 'NaN'),
        coalesce(sum(speed_kmh::double precision * flow_vph)
            / nullif(sum(flow_vph::double precision) FILTER (WHERE speed_kmh IS NOT NULL), 0), avg(speed_kmh), 'NaN')
    FROM dirty
    JOIN sensing.traffic AS raw ON raw.sensor_id = dirty.sensor_id
        AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
    WHERE observed_at < %(until)s AND quality < 4
    GROUP BY raw.sensor_id, 2
) TO STDOUT (FORMAT binary)

-- name: energy
-- Power of the buckets of [%(since)s, %(until)s), as known now.
COPY (
    WITH dirty AS MATERIALIZED (
        SELECT DISTINCT sensor_id, hour FROM sensing.dirty_hour
        WHERE kind = 'energy' AND hour >= %(since)s AND hour < %(until)s
    )
    SELECT sensor_id, bucket, coalesce(power_kw, 'NaN')::double precision
    FROM sensing.energy_15min AS rolled
    WHERE bucket >= %(since)s AND bucket < %(until)s
        AND NOT EXISTS (SELECT FROM dirty WHERE dirty.sensor_id = rolled.sensor_id
            AND dirty.hour = date_trunc('hour', rolled.bucket, 'UTC'))
    UNION ALL
    SELECT raw.sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        coalesce(avg(power_kw), 'NaN')
    FROM dirty
    JOIN sensing.energy AS raw ON raw.sensor_id = dirty.sensor_id
        AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
    WHERE observed_at < %(until)s AND quality < 4
    GROUP BY raw.sensor_id, 2
) TO STDOUT (FORMAT binary)

-- name: quantities
-- The quantities of the narrow table that were observed in [%(since)s, %(until)s).
SELECT DISTINCT quantity FROM sensing.observation_15min WHERE bucket >= %(since)s AND bucket < %(until)s
UNION
SELECT DISTINCT raw.quantity
FROM sensing.dirty_hour AS dirty
JOIN sensing.observation AS raw ON raw.sensor_id = dirty.sensor_id
    AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
WHERE dirty.kind = 'observation' AND dirty.hour >= %(since)s AND dirty.hour < %(until)s
ORDER BY quantity

-- name: environment
-- One quantity of the narrow table for the buckets of [%(since)s, %(until)s), as known now.
COPY (
    WITH dirty AS MATERIALIZED (
        SELECT DISTINCT sensor_id, hour FROM sensing.dirty_hour
        WHERE kind = 'observation' AND hour >= %(since)s AND hour < %(until)s
    )
    SELECT sensor_id, bucket, coalesce(value, 'NaN')
    FROM sensing.observation_15min AS rolled
    WHERE quantity = %(quantity)s AND bucket >= %(since)s AND bucket < %(until)s
        AND NOT EXISTS (SELECT FROM dirty WHERE dirty.sensor_id = rolled.sensor_id
            AND dirty.hour = date_trunc('hour', rolled.bucket, 'UTC'))
    UNION ALL
    SELECT raw.sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket, avg(value)
    FROM dirty
    JOIN sensing.observation AS raw ON raw.sensor_id = dirty.sensor_id AND raw.quantity = %(quantity)s
        AND observed_at >= dirty.hour AND observed_at < dirty.hour + interval '1 hour'
    WHERE observed_at < %(until)s AND quality < 4
    GROUP BY raw.sensor_id, 2
) TO STDOUT (FORMAT binary)

-- name: traffic_as_of
-- Flow and speed of [%(since)s, %(until)s) from what had been received by %(received_by)s.
COPY (
    SELECT sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        coalesce(avg(flow_vph), 'NaN'),
        coalesce(sum(speed_kmh::double precision * flow_vph)
            / nullif(sum(flow_vph::double precision) FILTER (WHERE speed_kmh IS NOT NULL), 0), avg(speed_kmh), 'NaN')
    FROM sensing.traffic
    WHERE observed_at >= %(since)s AND observed_at < %(until)s AND received_at <= %(received_by)s AND quality < 4
    GROUP BY sensor_id, 2
) TO STDOUT (FORMAT binary)

-- name: energy_as_of
-- Power of [%(since)s, %(until)s) from what had been received by %(received_by)s.
COPY (
    SELECT sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket,
        coalesce(avg(power_kw), 'NaN')
    FROM sensing.energy
    WHERE observed_at >= %(since)s AND observed_at < %(until)s AND received_at <= %(received_by)s AND quality < 4
    GROUP BY sensor_id, 2
) TO STDOUT (FORMAT binary)

-- name: quantities_as_of
-- The quantities of the narrow table of [%(since)s, %(until)s) that had been received by %(received_by)s.
SELECT DISTINCT quantity FROM sensing.observation
WHERE observed_at >= %(since)s AND observed_at < %(until)s AND received_at <= %(received_by)s
ORDER BY quantity

-- name: environment_as_of
-- One quantity of [%(since)s, %(until)s) from what had been received by %(received_by)s.
COPY (
    SELECT sensor_id, date_bin('15 minutes', observed_at, timestamptz '2000-01-01 00:00Z') AS bucket, avg(value)
    FROM sensing.observation
    WHERE quantity = %(quantity)s
        AND observed_at >= %(since)s AND observed_at < %(until)s AND received_at <= %(received_by)s AND quality < 4
    GROUP BY sensor_id, 2
) TO STDOUT (FORMAT binary)
