-- Chances of congestion as they were forecast, with the speeds they come from.

-- name: copy
-- The classes of a run's detectors, in PostgreSQL's binary format.
COPY forecast.congestion
    (run_id, sensor_id, issued_at, first_target_at, step_seconds, free_flow_kmh, free_flow_estimated, capacity_vph,
     congested, slow, dense, free)
FROM STDIN (FORMAT binary)

-- name: latest
-- For each wanted detector the newest classes issued at or before a time, target by target, those of a span of targets.
SELECT
    sensor.code AS sensor, sensor.id AS sensor_id, district.code AS district, newest.issued_at, newest.step_seconds,
    speed.model, speed.state, speed.reason, newest.free_flow_kmh, newest.free_flow_estimated, newest.capacity_vph,
    told.target_at, told.chances, told.speeds, told.flows
FROM sensing.sensor
LEFT JOIN sensing.district ON district.id = sensor.district_id
CROSS JOIN LATERAL (
    SELECT congestion.* FROM forecast.congestion
    WHERE congestion.sensor_id = sensor.id
        AND (%(issued_before)s::timestamptz IS NULL OR congestion.issued_at <= %(issued_before)s)
    ORDER BY congestion.issued_at DESC, congestion.run_id DESC
    LIMIT 1
) AS newest
JOIN forecast.series AS speed ON speed.sensor_id = newest.sensor_id AND speed.quantity = 'speed_kmh'
    AND speed.issued_at = newest.issued_at AND speed.run_id = newest.run_id
LEFT JOIN forecast.series AS flow ON flow.sensor_id = newest.sensor_id AND flow.quantity = 'flow_vph'
    AND flow.issued_at = newest.issued_at AND flow.run_id = newest.run_id
CROSS JOIN LATERAL (
    SELECT
        array_agg(at.target ORDER BY number) AS target_at,
        array_agg(ARRAY[congested, slow, dense, free] ORDER BY number) AS chances,
        array_agg(ARRAY[q05, q10, q25, q50, q75, q90, q95] ORDER BY number) AS speeds,
        array_agg(flow.q50[number] ORDER BY number) AS flows
    FROM unnest(
        newest.congested, newest.slow, newest.dense, newest.free,
        speed.q05, speed.q10, speed.q25, speed.q50, speed.q75, speed.q90, speed.q95
    ) WITH ORDINALITY AS step (congested, slow, dense, free, q05, q10, q25, q50, q75, q90, q95, number)
    CROSS JOIN LATERAL (SELECT
        newest.first_target_at + (number - 1) * newest.step_seconds * interval '1 second'
    ) AS at (target)
    WHERE (%(target_from)s::timestamptz IS NULL
            OR at.target + newest.step_seconds * interval '1 second' > %(target_from)s)
        AND (%(target_to)s::timestamptz IS NULL OR at.target < %(target_to)s)
) AS told
WHERE sensor.kind = 'traffic' AND told.target_at IS NOT NULL
    AND (%(sensors)s::text[] IS NULL OR sensor.code = ANY (%(sensors)s))
    AND (%(district)s::text IS NULL OR district.code = %(district)s)
ORDER BY sensor.code
