-- Forecasts of what will be released: what they are made from, what was issued, and how it did.

-- name: heads
-- The newest release of each local day of a plan since a day, of what had been published by a time; days ascending.
SELECT DISTINCT ON (day) release_key, day
FROM published.release
WHERE plan = %(plan)s AND day >= %(first_day)s AND date_trunc('hour', released_at) <= %(released_by)s
ORDER BY day, released_at DESC

-- name: numbers
-- The shown numbers of some releases of a plan by place, as PostgreSQL sends arrays.
SELECT
    place,
    array_send(array_agg(slot ORDER BY slot)),
    array_send(array_agg(value ORDER BY slot)),
    array_send(array_agg(ci95 ORDER BY slot))
FROM forecast.released_number
WHERE plan = %(plan)s AND release_key = ANY (%(keys)s) AND value IS NOT NULL
GROUP BY place
ORDER BY place COLLATE "C"

-- name: is_stored
-- Whether a release has its forecast.
SELECT EXISTS (SELECT FROM forecast.released_run WHERE release_key = %(release_key)s)

-- name: insert_run
-- One run; its places refer to it. No row when this release has its forecast already.
INSERT INTO forecast.released_run
    (release_key, plan, measure, last_day, days, issued_at, first_target_at, step_seconds, steps, data_hash,
     config_hash, seconds)
VALUES
    (%(release_key)s, %(plan)s, %(measure)s, %(last_day)s, %(days)s, %(issued_at)s, %(first_target_at)s,
     %(step_seconds)s, %(steps)s, %(data_hash)s, %(config_hash)s, %(seconds)s)
ON CONFLICT (release_key) DO NOTHING
RETURNING id

-- name: copy_places
-- The places of a run.
COPY forecast.released_place (run_id, place, model, state, reason, ci95, q05, q10, q25, q50, q75, q90, q95) FROM STDIN

-- name: newest_run
-- The newest run of a plan that had been issued by a time, with what its release was charged.
SELECT
    run.id, run.release_key, run.plan, run.measure, run.last_day, run.days, run.issued_at, run.first_target_at,
    run.step_seconds, run.steps, release.plan_version, release.epsilon, release.threshold
FROM forecast.released_run AS run JOIN published.release USING (release_key)
WHERE run.plan = %(plan)s AND run.issued_at <= %(issued_before)s
ORDER BY run.issued_at DESC, run.last_day DESC, run.id DESC
LIMIT 1

-- name: places
-- The places of a run, or one of them, with their values in order.
SELECT
    released_place.place, released_place.model, released_place.state, released_place.reason, released_place.ci95,
    coalesce(told.target_at, '{}') AS target_at, coalesce(told.quantiles, '{}') AS quantiles
FROM forecast.released_run AS run
JOIN forecast.released_place ON released_place.run_id = run.id
LEFT JOIN LATERAL (
    SELECT
        array_agg(run.first_target_at + (number - 1) * run.step_seconds * interval '1 second' ORDER BY number)
            AS target_at,
        array_agg(ARRAY[q05, q10, q25, q50, q75, q90, q95] ORDER BY number) AS quantiles
    FROM unnest(q05, q10, q25, q50, q75, q90, q95)
        WITH ORDINALITY AS step (q05, q10, q25, q50, q75, q90, q95, number)
    WHERE q50 IS NOT NULL
) AS told ON true
WHERE run.id = %(run_id)s AND (%(place)s::text IS NULL OR released_place.place = %(place)s)
ORDER BY released_place.place COLLATE "C"

-- name: highest
-- Of each place of a run the slot from a time on with the highest median, highest first; those without any last.
SELECT
    released_place.place, released_place.reason, released_place.q50 IS NOT NULL AS is_forecast,
    top.target_at, top.q10 AS low, top.q50 AS median, top.q90 AS high
FROM forecast.released_run AS run
JOIN forecast.released_place ON released_place.run_id = run.id
LEFT JOIN LATERAL (
    SELECT step.q10, step.q50, step.q90,
        run.first_target_at + (number - 1) * run.step_seconds * interval '1 second' AS target_at
    FROM unnest(released_place.q10, released_place.q50, released_place.q90)
        WITH ORDINALITY AS step (q10, q50, q90, number)
    WHERE step.q50 IS NOT NULL
        AND run.first_target_at + (number - 1) * run.step_seconds * interval '1 second' >= %(since)s
    ORDER BY step.q50 DESC, number
    LIMIT 1
) AS top ON true
WHERE run.id = %(run_id)s
ORDER BY top.q50 DESC NULLS LAST, is_forecast DESC, released_place.place COLLATE "C"

-- name: shown
-- The numbers of one place and plan since a time, of each day those of its newest release; withheld ones are NULL.
SELECT DISTINCT ON (slot) slot, value, ci95
FROM forecast.released_number
WHERE plan = %(plan)s AND place = %(place)s AND slot >= %(since)s AND day >= %(since)s::date - 1
ORDER BY slot, released_at DESC

-- name: unscored
-- The newest release of each local day since one that some forecast told of and that has no score, oldest first.
SELECT DISTINCT ON (release.day) release.release_key, release.day
FROM published.release
JOIN forecast.released_run AS run ON run.plan = release.plan AND release.day - run.last_day IN (1, 2)
WHERE release.plan = %(plan)s AND release.day >= %(first_day)s
    AND NOT EXISTS (SELECT FROM forecast.released_score AS score WHERE (score.plan, score.day) = (release.plan, release.day))
ORDER BY release.day, release.released_at DESC

-- name: score
-- Compare what one release shows with the forecasts that were made one and two days before, once for ever.
INSERT INTO forecast.released_score
    (plan, day, days_ahead, n, absolute_error, released_sum, naive_n, compared_error, naive_absolute_error, pinball,
     inside_50, inside_80, inside_90)
WITH shown AS MATERIALIZED (
    SELECT place, slot, value FROM forecast.released_number
    WHERE plan = %(plan)s AND release_key = %(release_key)s AND value IS NOT NULL
), week_before AS MATERIALIZED (
    SELECT place, slot, value FROM forecast.released_number
    WHERE plan = %(plan)s AND value IS NOT NULL AND release_key = (
        SELECT release_key FROM published.release WHERE plan = %(plan)s AND day = %(day)s::date - 7
        ORDER BY released_at DESC LIMIT 1
    )
), run AS MATERIALIZED (
    SELECT DISTINCT ON (last_day) *, %(day)s::date - last_day AS days_ahead FROM forecast.released_run
    WHERE plan = %(plan)s AND %(day)s::date - last_day IN (1, 2)
    ORDER BY last_day, issued_at DESC, id DESC
), told AS (
    SELECT
        run.days_ahead, released_place.place, step.*,
        run.first_target_at + (step.number - 1) * run.step_seconds * interval '1 second' AS target_at
    FROM run
    JOIN forecast.released_place ON released_place.run_id = run.id
    CROSS JOIN LATERAL unnest(q05, q10, q25, q50, q75, q90, q95)
        WITH ORDINALITY AS step (q05, q10, q25, q50, q75, q90, q95, number)
    WHERE step.q50 IS NOT NULL
), pair AS (
    SELECT told.*, shown.value, week_before.value AS naive
    FROM told
    JOIN shown ON shown.place = told.place AND shown.slot = told.target_at
    LEFT JOIN week_before ON week_before.place = told.place AND week_before.slot = told.target_at - interval '7 days'
)
SELECT
    %(plan)s, %(day)s, days_ahead, count(*), sum(abs(value - q50)), sum(abs(value)), count(naive),
    sum(abs(value - q50)) FILTER (WHERE naive IS NOT NULL), sum(abs(value - naive)),
    sum((
        greatest(0.05 * (value - q05), 0.95 * (q05 - value)) + greatest(0.1 * (value - q10), 0.9 * (q10 - value))
        + greatest(0.25 * (value - q25), 0.75 * (q25 - value)) + 0.5 * abs(value - q50)
        + greatest(0.75 * (value - q75), 0.25 * (q75 - value)) + greatest(0.9 * (value - q90), 0.1 * (q90 - value))
        + greatest(0.95 * (value - q95), 0.05 * (q95 - value))
    ) / 7),
    count(*) FILTER (WHERE value BETWEEN q25 AND q75), count(*) FILTER (WHERE value BETWEEN q10 AND q90),
    count(*) FILTER (WHERE value BETWEEN q05 AND q95)
FROM pair
GROUP BY days_ahead
ON CONFLICT (plan, day, days_ahead) DO NOTHING

-- name: scorecard
-- How forecasts of a plan did since a local day, by days ahead.
SELECT
    days_ahead, count(*) AS days, sum(n) AS n, sum(absolute_error) / sum(n) AS mae,
    sum(naive_absolute_error) / nullif(sum(naive_n), 0) AS naive_mae,
    1 - sum(compared_error) / nullif(sum(naive_absolute_error), 0) AS skill,
    sum(absolute_error) / nullif(sum(released_sum), 0) AS wape,
    sum(pinball) / sum(n) AS pinball,
    sum(inside_50)::float8 / sum(n) AS coverage_50,
    sum(inside_80)::float8 / sum(n) AS coverage_80,
    sum(inside_90)::float8 / sum(n) AS coverage_90
FROM forecast.released_score
WHERE plan = %(plan)s AND day >= %(since)s
GROUP BY days_ahead
ORDER BY days_ahead

-- name: forget
-- Remove runs older than the retention; scores stay.
DELETE FROM forecast.released_run WHERE issued_at < %(before)s
