-- Forecasts as they were issued, and how they did.

-- name: insert_run
-- One run; the series and values that follow refer to its id.
INSERT INTO forecast.run
    (issued_at, kind, step_seconds, steps, trained_from, trained_to, data_hash, config_hash, seconds)
VALUES
    (%(issued_at)s, %(kind)s, %(step_seconds)s, %(steps)s, %(trained_from)s, %(trained_to)s,
     %(data_hash)s, %(config_hash)s, %(seconds)s)
RETURNING id

-- name: copy_series
-- The series of a run.
COPY forecast.series (run_id, sensor_id, quantity, issued_at, model, state, reason) FROM STDIN

-- name: copy_values
-- The values of a run, in PostgreSQL's binary format.
COPY forecast.value (run_id, sensor_id, quantity, target_at, q05, q10, q25, q50, q75, q90, q95)
FROM STDIN (FORMAT binary)

-- name: latest
-- For each wanted sensor and quantity the newest forecast issued at or before a time, with its values in order.
SELECT
    sensor.code AS sensor, sensor.kind, newest.quantity, newest.run_id, newest.issued_at, run.step_seconds,
    newest.model, newest.state, newest.reason,
    array_agg(value.target_at ORDER BY value.target_at) AS target_at,
    array_agg(ARRAY[q05, q10, q25, q50, q75, q90, q95] ORDER BY value.target_at) AS quantiles
FROM sensing.sensor
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (series.quantity) series.*
    FROM forecast.series
    WHERE series.sensor_id = sensor.id
        AND (%(quantity)s::text IS NULL OR series.quantity = %(quantity)s)
        AND (%(issued_before)s::timestamptz IS NULL OR series.issued_at <= %(issued_before)s)
    ORDER BY series.quantity, series.issued_at DESC, series.run_id DESC
) AS newest
JOIN forecast.run ON run.id = newest.run_id
JOIN forecast.value ON value.run_id = newest.run_id
    AND value.sensor_id = newest.sensor_id AND value.quantity = newest.quantity
WHERE (%(sensors)s::text[] IS NULL OR sensor.code = ANY (%(sensors)s))
    AND (%(kind)s::text IS NULL OR sensor.kind = %(kind)s)
GROUP BY sensor.code, sensor.kind, newest.quantity, newest.run_id, newest.issued_at, run.step_seconds,
    newest.model, newest.state, newest.reason
ORDER BY sensor.code, newest.quantity

-- name: at_target
-- One row per sensor: what the newest forecast issued at or before a time says about the step that holds the target.
SELECT
    sensor.code AS sensor, newest.issued_at, run.step_seconds, newest.model, newest.state, newest.reason,
    value.target_at, ARRAY[q05, q10, q25, q50, q75, q90, q95] AS quantiles
FROM sensing.sensor
CROSS JOIN LATERAL (
    SELECT series.*
    FROM forecast.series
    WHERE series.sensor_id = sensor.id
        AND series.quantity = %(quantity)s
        AND (%(issued_before)s::timestamptz IS NULL OR series.issued_at <= %(issued_before)s)
    ORDER BY series.issued_at DESC, series.run_id DESC
    LIMIT 1
) AS newest
JOIN forecast.run ON run.id = newest.run_id
JOIN forecast.value ON value.run_id = newest.run_id
    AND value.sensor_id = newest.sensor_id AND value.quantity = newest.quantity
    AND value.target_at = date_bin(run.step_seconds * interval '1 second', %(target_at)s, timestamptz '2000-01-01 00:00Z')
WHERE sensor.kind = %(kind)s
ORDER BY sensor.code

-- name: runs
-- The runs issued in a period, newest first.
SELECT run.id, run.issued_at, run.kind, run.step_seconds, run.steps, run.trained_from, run.trained_to, run.seconds,
    count(*) FILTER (WHERE series.state = 'normal') AS normal,
    count(*) FILTER (WHERE series.state = 'degraded') AS degraded,
    count(*) FILTER (WHERE series.state = 'stale') AS stale
FROM forecast.run
LEFT JOIN forecast.series ON series.run_id = run.id
WHERE (%(kind)s::text IS NULL OR run.kind = %(kind)s)
    AND (%(since)s::timestamptz IS NULL OR run.issued_at >= %(since)s)
GROUP BY run.id
ORDER BY run.issued_at DESC, run.id DESC
LIMIT %(limit)s

-- name: scorecard
-- How forecasts did, by kind, quantity and lead time; sums are divided here and nowhere averaged.
SELECT
    sensor.kind, score.quantity, score.lead_minutes,
    count(DISTINCT score.sensor_id) AS sensors,
    sum(score.n) AS n,
    sum(score.absolute_error) / nullif(sum(score.n), 0) AS mae,
    sum(score.naive_absolute_error) / nullif(sum(score.naive_n), 0) AS naive_mae,
    sum(score.absolute_error) / nullif(sum(abs(score.observed_sum)), 0) AS wape,
    sum(score.inside_80)::double precision / nullif(sum(score.n), 0) AS coverage_80,
    sum(score.inside_90)::double precision / nullif(sum(score.n), 0) AS coverage_90
FROM forecast.score
JOIN sensing.sensor ON sensor.id = score.sensor_id
LEFT JOIN sensing.district ON district.id = sensor.district_id
WHERE (%(kind)s::text IS NULL OR sensor.kind = %(kind)s)
    AND (%(quantity)s::text IS NULL OR score.quantity = %(quantity)s)
    AND (%(sensors)s::text[] IS NULL OR sensor.code = ANY (%(sensors)s))
    AND (%(district)s::text IS NULL OR district.code = %(district)s)
    AND (%(since)s::date IS NULL OR score.day >= %(since)s)
    AND (%(until)s::date IS NULL OR score.day <= %(until)s)
GROUP BY sensor.kind, score.quantity, score.lead_minutes
ORDER BY sensor.kind, score.quantity, score.lead_minutes

-- name: score_day
-- Fill the scores of one UTC day from the buckets that had closed by a time. A forecast counts for lead L when its
-- target ends L after the step in which it was issued; of several issued in one step the newest counts.
WITH observed AS MATERIALIZED (
    SELECT sensor_id, pair.quantity, bucket, pair.value::double precision AS value
    FROM sensing.traffic_15min
    CROSS JOIN LATERAL (VALUES ('flow_vph', flow_vph), ('speed_kmh', speed_kmh)) AS pair (quantity, value)
    WHERE (bucket >= %(start)s AND bucket < %(closed)s
        OR bucket >= %(start)s - interval '7 days' AND bucket < %(closed)s - interval '7 days') AND pair.value IS NOT NULL
    UNION ALL
    SELECT sensor_id, 'power_kw', bucket, power_kw
    FROM sensing.energy_15min
    WHERE (bucket >= %(start)s AND bucket < %(closed)s
        OR bucket >= %(start)s - interval '7 days' AND bucket < %(closed)s - interval '7 days') AND power_kw IS NOT NULL
    UNION ALL
    SELECT sensor_id, quantity, bucket, value
    FROM sensing.observation_15min
    WHERE (bucket >= %(start)s AND bucket < %(closed)s
        OR bucket >= %(start)s - interval '7 days' AND bucket < %(closed)s - interval '7 days') AND value IS NOT NULL
), stepped AS MATERIALIZED (
    SELECT observed.sensor_id, observed.quantity, step.seconds AS step_seconds,
        date_bin(step.seconds * interval '1 second', bucket, timestamptz '2000-01-01 00:00Z') AS target_at,
        avg(value) AS value
    FROM observed
    CROSS JOIN (SELECT DISTINCT step_seconds AS seconds FROM forecast.run
        WHERE issued_at >= %(start)s - interval '2 days' AND issued_at < %(closed)s) AS step
    GROUP BY 1, 2, 3, 4
), issued AS MATERIALIZED (
    SELECT DISTINCT ON (run.kind, run.step_seconds, step_start, lead.minutes)
        run.id, run.step_seconds, lead.minutes,
        step_start + make_interval(mins => lead.minutes) - run.step_seconds * interval '1 second' AS target_at
    FROM forecast.run
    CROSS JOIN LATERAL (SELECT date_bin(
        run.step_seconds * interval '1 second', run.issued_at, timestamptz '2000-01-01 00:00Z') AS step_start) AS bin
    CROSS JOIN unnest(%(leads)s::integer[]) AS lead (minutes)
    WHERE run.issued_at >= %(start)s - interval '2 days' AND run.issued_at < %(closed)s
        AND lead.minutes * 60 %% run.step_seconds = 0
    ORDER BY run.kind, run.step_seconds, step_start, lead.minutes, run.issued_at DESC, run.id DESC
)
INSERT INTO forecast.score
    (sensor_id, quantity, lead_minutes, day, n, absolute_error, naive_absolute_error, naive_n,
     observed_sum, inside_80, inside_90)
SELECT value.sensor_id, value.quantity, issued.minutes, (%(start)s AT TIME ZONE 'UTC')::date,
    count(*), sum(abs(value.q50 - truth.value)),
    sum(abs(weekly.value - truth.value)), count(weekly.value), sum(truth.value),
    count(*) FILTER (WHERE truth.value BETWEEN value.q10 AND value.q90),
    count(*) FILTER (WHERE truth.value BETWEEN value.q05 AND value.q95)
FROM issued
JOIN forecast.value ON value.run_id = issued.id AND value.target_at = issued.target_at
JOIN stepped AS truth ON truth.sensor_id = value.sensor_id AND truth.quantity = value.quantity
    AND truth.step_seconds = issued.step_seconds AND truth.target_at = value.target_at
LEFT JOIN stepped AS weekly ON weekly.sensor_id = value.sensor_id AND weekly.quantity = value.quantity
    AND weekly.step_seconds = issued.step_seconds AND weekly.target_at = value.target_at - interval '7 days'
WHERE issued.target_at >= %(start)s
    AND issued.target_at + issued.step_seconds * interval '1 second' <= %(closed)s
GROUP BY value.sensor_id, value.quantity, issued.minutes
ON CONFLICT (sensor_id, quantity, lead_minutes, day) DO UPDATE SET
    n = excluded.n, absolute_error = excluded.absolute_error,
    naive_absolute_error = excluded.naive_absolute_error, naive_n = excluded.naive_n,
    observed_sum = excluded.observed_sum, inside_80 = excluded.inside_80, inside_90 = excluded.inside_90

-- name: forget
-- Remove runs older than the retention of all runs, but keep the first of each hour until its own retention ends.
DELETE FROM forecast.run
WHERE issued_at < %(all_since)s
    AND (issued_at < %(hourly_since)s OR id NOT IN (
        SELECT DISTINCT ON (kind, step_seconds, date_trunc('hour', issued_at)) id
        FROM forecast.run
        WHERE issued_at >= %(hourly_since)s
        ORDER BY kind, step_seconds, date_trunc('hour', issued_at), issued_at, id
    ))
