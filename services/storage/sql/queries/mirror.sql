-- name: at_traffic
-- The rows under the given keys, as the mirror sends them: code, no quantity, microseconds, quality, values.
SELECT s.code, '', k.observed_us, t.quality, t.flow_vph::float8, t.speed_kmh::float8, t.occupancy::float8
FROM unnest(%(sensors)s::int[], %(moments)s::bigint[]) AS k (sensor_id, observed_us)
CROSS JOIN LATERAL (
    SELECT * FROM sensing.traffic
    WHERE sensor_id = k.sensor_id AND observed_at = timestamptz 'epoch' + k.observed_us * interval '1 microsecond'
    OFFSET 0 -- one search by key each, as in ingest.sql
) t
JOIN sensing.sensor s ON s.id = t.sensor_id;

-- name: at_energy
-- The rows under the given keys, as the mirror sends them: code, no quantity, microseconds, quality, values.
SELECT s.code, '', k.observed_us, t.quality, t.power_kw::float8, t.energy_kwh
FROM unnest(%(sensors)s::int[], %(moments)s::bigint[]) AS k (sensor_id, observed_us)
CROSS JOIN LATERAL (
    SELECT * FROM sensing.energy
    WHERE sensor_id = k.sensor_id AND observed_at = timestamptz 'epoch' + k.observed_us * interval '1 microsecond'
    OFFSET 0 -- one search by key each, as in ingest.sql
) t
JOIN sensing.sensor s ON s.id = t.sensor_id;

-- name: at_observation
-- The rows under the given keys, as the mirror sends them: code, quantity, microseconds, quality, value.
SELECT s.code, t.quantity, k.observed_us, t.quality, t.value
FROM unnest(%(sensors)s::int[], %(moments)s::bigint[], %(quantities)s::text[]) AS k (sensor_id, observed_us, quantity)
CROSS JOIN LATERAL (
    SELECT * FROM sensing.observation
    WHERE sensor_id = k.sensor_id AND quantity = k.quantity
        AND observed_at = timestamptz 'epoch' + k.observed_us * interval '1 microsecond'
    OFFSET 0
) t
JOIN sensing.sensor s ON s.id = t.sensor_id;

-- name: span_traffic
-- All rows of a span of time, in the same form, oldest first.
SELECT s.code, '', (extract(epoch FROM t.observed_at) * 1000000)::bigint, t.quality,
    t.flow_vph::float8, t.speed_kmh::float8, t.occupancy::float8
FROM sensing.traffic t JOIN sensing.sensor s ON s.id = t.sensor_id
WHERE t.observed_at >= %(start)s AND t.observed_at < %(end)s
ORDER BY t.observed_at;

-- name: span_energy
-- All rows of a span of time, in the same form, oldest first.
SELECT s.code, '', (extract(epoch FROM t.observed_at) * 1000000)::bigint, t.quality, t.power_kw::float8, t.energy_kwh
FROM sensing.energy t JOIN sensing.sensor s ON s.id = t.sensor_id
WHERE t.observed_at >= %(start)s AND t.observed_at < %(end)s
ORDER BY t.observed_at;

-- name: span_observation
-- All rows of a span of time, in the same form, oldest first.
SELECT s.code, t.quantity, (extract(epoch FROM t.observed_at) * 1000000)::bigint, t.quality, t.value
FROM sensing.observation t JOIN sensing.sensor s ON s.id = t.sensor_id
WHERE t.observed_at >= %(start)s AND t.observed_at < %(end)s
ORDER BY t.observed_at;
