-- Forecasts as they were issued, and how they did.

-- name: insert_run
-- One run; the series that follow refer to its id. No row when this shard has been stored for this round already.
INSERT INTO forecast.run
    (issued_at, due_at, shard, kind, step_seconds, steps, trained_from, trained_to, data_hash, config_hash, seconds)
VALUES
    (%(issued_at)s, %(due_at)s, %(shard)s, %(kind)s, %(step_seconds)s, %(steps)s, %(trained_from)s, %(trained_to)s,
     %(data_hash)s, %(config_hash)s, %(seconds)s)
ON CONFLICT (due_at, kind, step_seconds, shard) DO NOTHING
RETURNING id

-- name: is_stored
-- Whether a shard has been stored for a round.
SELECT EXISTS (SELECT FROM forecast.run WHERE due_at = %(due_at)s AND shard = %(shard)s)

-- name: copy_series
-- The series of a run with their values, in PostgreSQL's binary format.
COPY forecast.series
    (run_id, sensor_id, quantity, issued_at, model, state, reason, first_target_at, step_seconds, scale,
     q05, q10, q25, q50, q75, q90, q95)
FROM STDIN (FORMAT binary)

-- name: latest
-- For each wanted sensor and quantity the newest forecast issued at or before a time, with its values in order.
SELECT
    sensor.code AS sensor, sensor.kind, newest.quantity, newest.run_id, newest.issued_at, newest.step_seconds,
    newest.model, newest.state, newest.reason, told.target_at, told.quantiles
FROM sensing.sensor
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (series.quantity) series.*
    FROM forecast.series
    WHERE series.sensor_id = sensor.id
        AND (%(quantity)s::text IS NULL OR series.quantity = %(quantity)s)
        AND (%(issued_before)s::timestamptz IS NULL OR series.issued_at <= %(issued_before)s)
    ORDER BY series.quantity, series.issued_at DESC, series.run_id DESC
) AS newest
CROSS JOIN LATERAL (
    SELECT
        array_agg(newest.first_target_at + (number - 1) * newest.step_seconds * interval '1 second' ORDER BY number)
            AS target_at,
        array_agg(ARRAY[q05, q10, q25, q50, q75, q90, q95] ORDER BY number) AS quantiles
    FROM unnest(newest.q05, newest.q10, newest.q25, newest.q50, newest.q75, newest.q90, newest.q95)
        WITH ORDINALITY AS step (q05, q10, q25, q50, q75, q90, q95, number)
) AS told
WHERE (%(sensors)s::text[] IS NULL OR sensor.code = ANY (%(sensors)s))
    AND (%(kind)s::text IS NULL OR sensor.kind = %(kind)s)
ORDER BY sensor.code, newest.quantity

-- name: at_target
-- One row per sensor: what the newest forecast issued at or before a time says about the step that holds the target.
SELECT
    sensor.code AS sensor, newest.issued_at, newest.step_seconds, newest.model, newest.state, newest.reason,
    newest.first_target_at + (place.number - 1) * newest.step_seconds * interval '1 second' AS target_at,
    ARRAY[
        q05[place.number], q10[place.number], q25[place.number], q50[place.number],
        q75[place.number], q90[place.number], q95[place.number]
    ] AS quantiles
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
CROSS JOIN LATERAL (SELECT
    floor(extract(epoch FROM %(target_at)s::timestamptz - newest.first_target_at) / newest.step_seconds)::integer + 1
) AS place (number)
WHERE sensor.kind = %(kind)s AND place.number BETWEEN 1 AND cardinality(newest.q50)
ORDER BY sensor.code

-- name: runs
-- The rounds issued in a period, newest first; the shards of one round are one row, issued when the last of them was.
SELECT max(run.id) AS id, max(run.issued_at) AS issued_at, run.kind, run.step_seconds, max(run.steps) AS steps,
    min(run.trained_from) AS trained_from, max(run.trained_to) AS trained_to, sum(run.seconds)::float8 AS seconds,
    sum(said.normal)::bigint AS normal, sum(said.degraded)::bigint AS degraded, sum(said.stale)::bigint AS stale
FROM forecast.run
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'normal') AS normal, count(*) FILTER (WHERE state = 'degraded') AS degraded,
        count(*) FILTER (WHERE state = 'stale') AS stale
    FROM forecast.series WHERE series.run_id = run.id
) AS said
WHERE run.shard >= 0 AND (%(kind)s::text IS NULL OR run.kind = %(kind)s)
    AND (%(since)s::timestamptz IS NULL OR run.issued_at >= %(since)s)
GROUP BY coalesce(run.due_at, run.issued_at), CASE WHEN run.due_at IS NULL THEN run.id END, run.kind, run.step_seconds
ORDER BY issued_at DESC, id DESC
LIMIT %(limit)s

-- name: held
-- How many targets of some sensors each interval held, by UTC day and lead time; only of forecasts on current data and of
-- readings that were not bad.
SELECT day, lead_minutes, sum(n)::float8 AS n, sum(inside_80)::float8 AS inside_80, sum(inside_90)::float8 AS inside_90
FROM forecast.score
WHERE sensor_id = ANY (%(ids)s) AND quantity = %(quantity)s AND day >= %(since)s AND state = 'normal' AND quality = 'good'
GROUP BY day, lead_minutes
ORDER BY day, lead_minutes

-- name: scored
-- How far a day has been scored, locked until the transaction ends, so that no hour is added twice.
INSERT INTO forecast.scored AS scored (day, until) VALUES (%(day)s, %(start)s)
ON CONFLICT (day) DO UPDATE SET until = scored.until
RETURNING until, final

-- name: unscore
-- Remove the scores of a day, which is then scored from its start.
DELETE FROM forecast.score WHERE day = %(day)s

-- name: note_scored
-- Say how far a day has been scored.
UPDATE forecast.scored SET until = %(until)s, final = %(final)s WHERE day = %(day)s

-- name: score
-- Add the scores of the targets that ended in (%(since)s, %(until)s], both within one UTC day. A forecast counts for lead
-- L when its target ends L after the step in which it was issued; of several issued in one step the newest counts.
WITH step AS MATERIALIZED (
    SELECT DISTINCT step_seconds AS seconds FROM forecast.run
    WHERE issued_at >= %(since)s - interval '2 days' AND issued_at < %(until)s
), span AS MATERIALIZED (
    SELECT date_bin(max(seconds) * interval '1 second', %(since)s, timestamptz '2000-01-01 00:00Z') AS start FROM step
), observed AS MATERIALIZED (
    SELECT sensor_id, pair.quantity, bucket, pair.value::double precision AS value, good = rows AS is_good
    FROM sensing.traffic_15min
    CROSS JOIN LATERAL (VALUES ('flow_vph', flow_vph), ('speed_kmh', speed_kmh)) AS pair (quantity, value)
    WHERE (bucket >= (SELECT start FROM span) AND bucket < %(until)s
        OR bucket >= (SELECT start FROM span) - interval '7 days' AND bucket < %(until)s - interval '7 days')
        AND pair.value IS NOT NULL
    UNION ALL
    SELECT sensor_id, 'power_kw', bucket, power_kw, good = rows
    FROM sensing.energy_15min
    WHERE (bucket >= (SELECT start FROM span) AND bucket < %(until)s
        OR bucket >= (SELECT start FROM span) - interval '7 days' AND bucket < %(until)s - interval '7 days')
        AND power_kw IS NOT NULL
    UNION ALL
    SELECT sensor_id, quantity, bucket, value, good = rows
    FROM sensing.observation_15min
    WHERE (bucket >= (SELECT start FROM span) AND bucket < %(until)s
        OR bucket >= (SELECT start FROM span) - interval '7 days' AND bucket < %(until)s - interval '7 days')
        AND value IS NOT NULL
), stepped AS MATERIALIZED (
    SELECT observed.sensor_id, observed.quantity, step.seconds AS step_seconds,
        date_bin(step.seconds * interval '1 second', bucket, timestamptz '2000-01-01 00:00Z') AS target_at,
        avg(value) AS value, bool_and(is_good) AS is_good
    FROM observed
    CROSS JOIN step
    GROUP BY 1, 2, 3, 4
), issued AS MATERIALIZED (
    SELECT DISTINCT ON (run.kind, run.step_seconds, run.shard, step_start, lead.minutes)
        run.id, run.step_seconds, lead.minutes, bin.step_start,
        step_start + make_interval(mins => lead.minutes) - run.step_seconds * interval '1 second' AS target_at
    FROM forecast.run
    CROSS JOIN LATERAL (SELECT date_bin(
        run.step_seconds * interval '1 second', run.issued_at, timestamptz '2000-01-01 00:00Z') AS step_start) AS bin
    CROSS JOIN unnest(%(leads)s::integer[]) AS lead (minutes)
    WHERE run.issued_at >= %(since)s - interval '2 days' AND run.issued_at < %(until)s
        AND lead.minutes * 60 %% run.step_seconds = 0
        AND step_start + make_interval(mins => lead.minutes) > %(since)s
        AND step_start + make_interval(mins => lead.minutes) <= %(until)s
    ORDER BY run.kind, run.step_seconds, run.shard, step_start, lead.minutes, run.issued_at DESC, run.id DESC
), told AS (
    SELECT series.sensor_id, series.quantity, series.state, series.step_seconds, series.scale,
        issued.minutes, issued.target_at,
        q05[place.number] AS q05, q10[place.number] AS q10, q25[place.number] AS q25, q50[place.number] AS q50,
        q75[place.number] AS q75, q90[place.number] AS q90, q95[place.number] AS q95
    FROM issued
    JOIN forecast.series ON series.run_id = issued.id
    CROSS JOIN LATERAL (SELECT
        (extract(epoch FROM issued.target_at - series.first_target_at) / series.step_seconds)::integer + 1
    ) AS place (number)
), missed AS (
    SELECT told.*, truth.value AS truth, truth.is_good, abs(q50 - truth.value) AS error,
        q50 - truth.value AS signed_error, abs(weekly.value - truth.value) AS naive_error
    FROM told
    JOIN stepped AS truth ON truth.sensor_id = told.sensor_id AND truth.quantity = told.quantity
        AND truth.step_seconds = told.step_seconds AND truth.target_at = told.target_at
    LEFT JOIN stepped AS weekly ON weekly.sensor_id = told.sensor_id AND weekly.quantity = told.quantity
        AND weekly.step_seconds = told.step_seconds AND weekly.target_at = told.target_at - interval '7 days'
    WHERE q50 IS NOT NULL
)
INSERT INTO forecast.score AS score
    (sensor_id, quantity, lead_minutes, day, state, quality, n, absolute_error, naive_absolute_error, naive_n,
     compared_error, scaled_error, scaled_n, pinball, observed_sum, signed_error, inside_50, inside_80, inside_90)
SELECT sensor_id, quantity, minutes, %(day)s, state, CASE WHEN is_good THEN 'good' ELSE 'questionable' END,
    count(*), sum(error), sum(naive_error), count(naive_error),
    sum(error) FILTER (WHERE naive_error IS NOT NULL),
    sum(error / scale) FILTER (WHERE scale > 0), count(*) FILTER (WHERE scale > 0),
    sum((
        greatest(0.05 * (truth - q05), 0.95 * (q05 - truth)) + greatest(0.10 * (truth - q10), 0.90 * (q10 - truth))
        + greatest(0.25 * (truth - q25), 0.75 * (q25 - truth)) + 0.5 * error
        + greatest(0.75 * (truth - q75), 0.25 * (q75 - truth)) + greatest(0.90 * (truth - q90), 0.10 * (q90 - truth))
        + greatest(0.95 * (truth - q95), 0.05 * (q95 - truth))
    ) / 7),
    sum(truth),
    sum(signed_error),
    count(*) FILTER (WHERE truth BETWEEN q25 AND q75),
    count(*) FILTER (WHERE truth BETWEEN q10 AND q90),
    count(*) FILTER (WHERE truth BETWEEN q05 AND q95)
FROM missed
GROUP BY sensor_id, quantity, minutes, state, is_good
ON CONFLICT (sensor_id, quantity, lead_minutes, day, state, quality) DO UPDATE SET
    n = score.n + excluded.n,
    absolute_error = score.absolute_error + excluded.absolute_error,
    naive_absolute_error = coalesce(score.naive_absolute_error + excluded.naive_absolute_error,
        score.naive_absolute_error, excluded.naive_absolute_error),
    naive_n = score.naive_n + excluded.naive_n,
    compared_error = coalesce(score.compared_error + excluded.compared_error,
        score.compared_error, excluded.compared_error),
    scaled_error = coalesce(score.scaled_error + excluded.scaled_error, score.scaled_error, excluded.scaled_error),
    scaled_n = score.scaled_n + excluded.scaled_n,
    pinball = score.pinball + excluded.pinball,
    observed_sum = score.observed_sum + excluded.observed_sum,
    signed_error = score.signed_error + excluded.signed_error,
    inside_50 = score.inside_50 + excluded.inside_50,
    inside_80 = score.inside_80 + excluded.inside_80,
    inside_90 = score.inside_90 + excluded.inside_90

-- name: forget
-- Remove runs older than the retention of all runs, but keep each shard's first of an hour until its own retention ends.
DELETE FROM forecast.run
WHERE issued_at < %(all_since)s
    AND (issued_at < %(hourly_since)s OR EXISTS (
        SELECT FROM forecast.run AS earlier
        WHERE earlier.issued_at >= date_trunc('hour', run.issued_at, 'UTC') AND earlier.issued_at <= run.issued_at
            AND earlier.kind = run.kind AND earlier.step_seconds = run.step_seconds AND earlier.shard = run.shard
            AND (earlier.issued_at, earlier.id) < (run.issued_at, run.id)
    ))
