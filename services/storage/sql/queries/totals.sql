-- Sums over sensors and the peaks of days: what they are made of, what was issued.

-- name: limits
-- What feeders may carry.
SELECT id, limit_kw FROM sensing.sensor WHERE id = ANY (%(ids)s) AND limit_kw IS NOT NULL

-- name: is_complete
-- Whether every shard with a feeder that has reported since a time is stored for a round, or totals are overdue.
WITH expected AS (
    SELECT DISTINCT sensor.id / %(size)s AS shard FROM sensing.sensor
    WHERE kind = 'energy'
        AND EXISTS (SELECT FROM sensing.energy_15min WHERE sensor_id = sensor.id AND bucket >= %(since)s)
), overdue AS (
    SELECT max(issued_at) < now() - interval '1 hour' AS is_so FROM forecast.run
    WHERE shard = %(city)s AND kind = 'energy' AND issued_at > now() - interval '1 day'
)
SELECT NOT EXISTS (
    SELECT FROM expected WHERE NOT EXISTS (
        SELECT FROM forecast.run WHERE due_at = %(due_at)s AND kind = 'energy' AND run.shard = expected.shard
    )
) OR coalesce((SELECT is_so FROM overdue), false)

-- name: parts
-- The newest forecast of every feeder, with its quantiles as PostgreSQL sends arrays.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (shard, step_seconds) id, issued_at FROM forecast.run
    WHERE kind = 'energy' AND shard <> %(city)s
        AND issued_at <= %(issued_by)s AND issued_at > %(issued_by)s::timestamptz - interval '2 hours'
    ORDER BY shard, step_seconds, issued_at DESC, id DESC
)
SELECT DISTINCT ON (series.sensor_id)
    series.sensor_id, sensor.district_id::integer, series.state,
    (extract(epoch FROM series.first_target_at) * 1000000)::bigint, series.step_seconds,
    array_send(q05), array_send(q10), array_send(q25), array_send(q50), array_send(q75), array_send(q90), array_send(q95)
FROM newest
JOIN forecast.series ON series.run_id = newest.id
JOIN sensing.sensor ON sensor.id = series.sensor_id
WHERE series.quantity = %(quantity)s
ORDER BY series.sensor_id, newest.issued_at DESC

-- name: copy_totals
-- The totals of a run.
COPY forecast.total
    (run_id, district_id, quantity, issued_at, state, reason, sensors, first_target_at, step_seconds, summed,
     q05, q10, q25, q50, q75, q90, q95)
FROM STDIN

-- name: copy_peaks
-- The peaks of a run.
COPY forecast.peak
    (run_id, sensor_id, district_id, quantity, issued_at, day, state, limit_kw, limit_is, chance_above, likely_at,
     so_far, q05, q10, q25, q50, q75, q90, q95)
FROM STDIN

-- name: latest_totals
-- The totals of the newest run that had been issued by a time, with their values in order.
WITH newest AS (
    SELECT id FROM forecast.run
    WHERE shard = %(city)s AND kind = 'energy'
        AND (%(issued_before)s::timestamptz IS NULL OR issued_at <= %(issued_before)s)
    ORDER BY issued_at DESC, id DESC
    LIMIT 1
)
SELECT
    district.code AS district, district.name, total.quantity, total.run_id, total.issued_at, total.state, total.reason,
    total.sensors, total.step_seconds, told.target_at, total.summed, told.quantiles
FROM newest
JOIN forecast.total ON total.run_id = newest.id AND total.quantity = %(quantity)s
LEFT JOIN sensing.district ON district.id = total.district_id
CROSS JOIN LATERAL (
    SELECT
        array_agg(total.first_target_at + (number - 1) * total.step_seconds * interval '1 second' ORDER BY number)
            AS target_at,
        array_agg(ARRAY[q05, q10, q25, q50, q75, q90, q95] ORDER BY number) AS quantiles
    FROM unnest(total.q05, total.q10, total.q25, total.q50, total.q75, total.q90, total.q95)
        WITH ORDINALITY AS step (q05, q10, q25, q50, q75, q90, q95, number)
) AS told
ORDER BY district.code NULLS FIRST

-- name: latest_peaks
-- The newest peaks of the city, its districts and its feeders that had been issued by a time.
WITH run AS MATERIALIZED (
    SELECT DISTINCT ON (shard, step_seconds) id FROM forecast.run
    WHERE kind = 'energy' AND issued_at <= coalesce(%(issued_before)s, now())
        AND issued_at > coalesce(%(issued_before)s, now()) - interval '1 day'
    ORDER BY shard, step_seconds, issued_at DESC, id DESC
)
SELECT DISTINCT ON (place, coalesce(sensor.code, district.code), peak.day)
    said.scope, sensor.code AS sensor, district.code AS district, coalesce(sensor.name, district.name) AS name,
    peak.quantity, peak.issued_at, peak.state, peak.day, peak.limit_kw, peak.limit_is, peak.chance_above,
    peak.likely_at, peak.so_far, ARRAY[q05, q10, q25, q50, q75, q90, q95] AS quantiles
FROM run
JOIN forecast.peak ON peak.run_id = run.id AND peak.quantity = %(quantity)s
LEFT JOIN sensing.sensor ON sensor.id = peak.sensor_id
LEFT JOIN sensing.district ON district.id = coalesce(peak.district_id, sensor.district_id)
CROSS JOIN LATERAL (SELECT
    CASE WHEN peak.sensor_id IS NOT NULL THEN 'sensor' WHEN peak.district_id IS NOT NULL THEN 'district' ELSE 'city' END,
    CASE WHEN peak.sensor_id IS NOT NULL THEN 2 WHEN peak.district_id IS NOT NULL THEN 1 ELSE 0 END
) AS said (scope, place)
WHERE (%(scope)s::text IS NULL OR said.scope = %(scope)s)
    AND (%(sensors)s::text[] IS NULL OR sensor.code = ANY (%(sensors)s))
    AND (%(district)s::text IS NULL OR district.code = %(district)s)
    AND (%(since)s::date IS NULL OR peak.day >= %(since)s)
ORDER BY place, coalesce(sensor.code, district.code), peak.day, peak.issued_at DESC
