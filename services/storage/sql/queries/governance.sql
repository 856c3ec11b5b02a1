-- What governance documents are made from: counts and figures of what is public, never a personal row.

-- name: sensor_counts
-- How many fixed sensors of each kind there are.
SELECT kind, count(*) FROM sensing.sensor GROUP BY kind ORDER BY kind

-- name: destructions
-- The newest proofs that a day's personal rows and key were destroyed.
SELECT purpose, day, destroyed_at FROM governance.destruction ORDER BY destroyed_at DESC, purpose LIMIT %(most)s

-- name: served
-- What each model serves in the newest round of each kind: how many series, in which states, learnt from when to when.
WITH newest AS (
    SELECT DISTINCT ON (kind, step_seconds, shard) id, kind, issued_at, trained_from, trained_to
    FROM forecast.run
    WHERE issued_at >= %(since)s
    ORDER BY kind, step_seconds, shard, issued_at DESC
)
SELECT series.model, newest.kind, series.quantity, count(*) AS series,
    count(*) FILTER (WHERE series.state = 'normal') AS normal,
    count(*) FILTER (WHERE series.state = 'degraded') AS degraded,
    count(*) FILTER (WHERE series.state = 'stale') AS stale,
    min(newest.trained_from) AS trained_from, max(newest.trained_to) AS trained_to, max(newest.issued_at) AS issued_at,
    (array_agg(DISTINCT series.reason) FILTER (WHERE series.reason IS NOT NULL))[1:3] AS reasons
FROM newest
JOIN forecast.series ON series.run_id = newest.id
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

-- name: model_scores
-- How the sensors did that a model served on a day, by model, quantity, lead time and district. Which model served is taken
-- from the first round of each day; its scores are those of that day's targets.
WITH first AS (
    SELECT DISTINCT ON (kind, step_seconds, shard, (issued_at AT TIME ZONE 'UTC')::date)
        id, (issued_at AT TIME ZONE 'UTC')::date AS day
    FROM forecast.run
    WHERE issued_at >= %(since)s::date AND issued_at < %(until)s::date + 1
    ORDER BY kind, step_seconds, shard, (issued_at AT TIME ZONE 'UTC')::date, issued_at
), served AS (
    SELECT DISTINCT ON (series.sensor_id, series.quantity, first.day)
        series.sensor_id, series.quantity, first.day, series.model
    FROM first
    JOIN forecast.series ON series.run_id = first.id
    ORDER BY series.sensor_id, series.quantity, first.day, series.run_id
)
SELECT served.model, sensor.kind, score.quantity, score.lead_minutes, district.code AS district,
    count(DISTINCT score.sensor_id) AS sensors, sum(score.n) AS n,
    sum(score.absolute_error) / nullif(sum(score.n), 0) AS mae,
    sum(score.absolute_error) / nullif(sum(abs(score.observed_sum)), 0) AS wape,
    1 - sum(score.compared_error) / nullif(sum(score.naive_absolute_error), 0) AS skill,
    sum(score.inside_80)::double precision / nullif(sum(score.n), 0) AS coverage_80
FROM forecast.score
JOIN served ON served.sensor_id = score.sensor_id AND served.quantity = score.quantity AND served.day = score.day
JOIN sensing.sensor ON sensor.id = score.sensor_id
LEFT JOIN sensing.district ON district.id = sensor.district_id
GROUP BY GROUPING SETS ((1, 2, 3, 4), (1, 2, 3, 5))
ORDER BY 1, 2, 3, 4, 5

-- name: sensor_scores
-- Sums of each sensor over a range of UTC days, all lead times together; readings of good quality only.
SELECT sensor.kind, score.quantity, sensor.code AS sensor, district.code AS district,
    sum(score.n) AS n, sum(score.absolute_error) AS absolute_error, sum(score.signed_error) AS signed_error,
    sum(score.n) FILTER (WHERE score.signed_error IS NOT NULL) AS signed_n,
    sum(abs(score.observed_sum)) AS observed_sum,
    sum(score.inside_80) AS inside_80, sum(score.inside_90) AS inside_90
FROM forecast.score
JOIN sensing.sensor ON sensor.id = score.sensor_id
JOIN sensing.district ON district.id = sensor.district_id
WHERE score.day BETWEEN %(since)s AND %(until)s AND score.quality = 'good'
GROUP BY sensor.kind, score.quantity, sensor.code, district.code
HAVING sum(score.n) > 0
ORDER BY sensor.kind, score.quantity, sensor.code

-- name: withheld
-- Of each public place of each plan and local day: how many values were published or withheld, and how many were withheld.
-- `district` is that of a district's or a station's code; places that are H3 cells have none.
WITH published AS (
    SELECT release_key, lower(to_hex(cell)) AS place, NULL::text AS district, vehicles IS NULL AS withheld
    FROM published.presence
    UNION ALL
    SELECT release_key, district.code, district.code, energy_kwh IS NULL
    FROM published.district_energy JOIN sensing.district ON district.id = district_energy.district_id
    UNION ALL
    SELECT figure.release_key, figure.place, coalesce(own.code, station_district.code), figure.value IS NULL
    FROM published.figure
    LEFT JOIN sensing.district AS own ON own.code = figure.place
    LEFT JOIN sensing.station ON station.code = figure.place
    LEFT JOIN sensing.district AS station_district ON station_district.id = station.district_id
)
SELECT release.plan, published.place, published.district, release.day, count(*) AS published,
    count(*) FILTER (WHERE published.withheld) AS withheld
FROM published
JOIN published.release USING (release_key)
WHERE release.day BETWEEN %(since)s AND %(until)s
GROUP BY release.plan, published.place, published.district, release.day
ORDER BY release.plan, published.place, release.day

-- name: store_fairness
-- Keep what one fairness audit found.
INSERT INTO governance.fairness_audit (passed, result) VALUES (%(passed)s, %(result)s)

-- name: last_fairness
-- What the newest fairness audit found.
SELECT audited_at, passed, result FROM governance.fairness_audit ORDER BY id DESC LIMIT 1
