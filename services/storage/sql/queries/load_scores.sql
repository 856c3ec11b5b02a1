-- How sums over feeders and the peaks of days were forecast: what was drawn, what had been said.

-- name: unscore
-- Remove the scores of totals, or of peaks, of a day, which are then made from its start.
DELETE FROM forecast.load_score WHERE what = %(what)s AND day = %(day)s

-- name: score_totals
-- Score the targets that ended in (%(since)s, %(until)s], both within one UTC day. What a total drew is known where feeders
-- with nine tenths of its usual load reported; the others are taken to have drawn their usual share. Leads as of sensors.
WITH reading AS MATERIALIZED (
    SELECT sensor_id, sensor.district_id, bucket, power_kw::double precision AS power
    FROM sensing.energy_15min
    JOIN sensing.sensor ON sensor.id = sensor_id
    WHERE (bucket >= %(since)s::timestamptz - interval '1 hour' AND bucket < %(until)s
        OR bucket >= %(since)s::timestamptz - interval '7 days 1 hour' AND bucket < %(until)s::timestamptz - interval '7 days')
        AND power_kw IS NOT NULL
), usual AS (
    SELECT sensor_id, district_id, avg(abs(power)) AS power FROM reading GROUP BY sensor_id, district_id
), whole AS (
    SELECT place, sum(power) AS power
    FROM usual CROSS JOIN unnest(ARRAY[0, district_id::integer]) AS place
    WHERE place IS NOT NULL
    GROUP BY place
), drawn AS (
    SELECT place, bucket, sum(reading.power) AS power, sum(usual.power) AS known
    FROM reading
    JOIN usual USING (sensor_id)
    CROSS JOIN unnest(ARRAY[0, reading.district_id::integer]) AS place
    WHERE place IS NOT NULL
    GROUP BY place, bucket
), step AS MATERIALIZED (
    SELECT DISTINCT step_seconds AS seconds FROM forecast.run
    WHERE shard = %(city)s AND issued_at >= %(since)s::timestamptz - interval '2 days' AND issued_at < %(until)s
), stepped AS MATERIALIZED (
    SELECT place, step.seconds,
        date_bin(step.seconds * interval '1 second', bucket, timestamptz '2000-01-01 00:00Z') AS target_at,
        avg(drawn.power * whole.power / nullif(drawn.known, 0)) AS value
    FROM drawn
    JOIN whole USING (place)
    CROSS JOIN step
    WHERE drawn.known >= %(held)s * whole.power
    GROUP BY 1, 2, 3
), issued AS (
    SELECT DISTINCT ON (run.step_seconds, step_start, lead.minutes)
        run.id, run.step_seconds, lead.minutes,
        step_start + make_interval(mins => lead.minutes) - run.step_seconds * interval '1 second' AS target_at
    FROM forecast.run
    CROSS JOIN LATERAL (SELECT date_bin(
        run.step_seconds * interval '1 second', run.issued_at, timestamptz '2000-01-01 00:00Z') AS step_start) AS bin
    CROSS JOIN unnest(%(leads)s::integer[]) AS lead (minutes)
    WHERE run.shard = %(city)s
        AND run.issued_at >= %(since)s::timestamptz - interval '2 days' AND run.issued_at < %(until)s
        AND lead.minutes * 60 %% run.step_seconds = 0
        AND step_start + make_interval(mins => lead.minutes) > %(since)s
        AND step_start + make_interval(mins => lead.minutes) <= %(until)s
    ORDER BY run.step_seconds, step_start, lead.minutes, run.issued_at DESC, run.id DESC
), told AS (
    SELECT total.district_id, total.quantity, total.state, issued.step_seconds, issued.minutes, issued.target_at,
        ARRAY[q05[place.number], q10[place.number], q25[place.number], q50[place.number],
              q75[place.number], q90[place.number], q95[place.number]]::double precision[] AS q
    FROM issued
    JOIN forecast.total ON total.run_id = issued.id
    CROSS JOIN LATERAL (SELECT
        (extract(epoch FROM issued.target_at - total.first_target_at) / total.step_seconds)::integer + 1
    ) AS place (number)
    WHERE place.number BETWEEN 1 AND cardinality(q50)
), missed AS (
    SELECT told.*, truth.value AS truth, q[4] - truth.value AS error, abs(weekly.value - truth.value) AS naive_error
    FROM told
    JOIN stepped AS truth ON truth.place = coalesce(told.district_id, 0) AND truth.seconds = told.step_seconds
        AND truth.target_at = told.target_at
    LEFT JOIN stepped AS weekly ON weekly.place = truth.place AND weekly.seconds = truth.seconds
        AND weekly.target_at = told.target_at - interval '7 days'
)
INSERT INTO forecast.load_score
    (what, district_id, quantity, lead_minutes, day, state, n, absolute_error, naive_absolute_error, naive_n,
     compared_error, pinball, observed_sum, signed_error, inside_50, inside_80, inside_90)
SELECT 'total', district_id, quantity, minutes, %(day)s, state,
    count(*), sum(abs(error)), sum(naive_error), count(naive_error), sum(abs(error)) FILTER (WHERE naive_error IS NOT NULL),
    sum((
        greatest(0.05 * (truth - q[1]), 0.95 * (q[1] - truth)) + greatest(0.10 * (truth - q[2]), 0.90 * (q[2] - truth))
        + greatest(0.25 * (truth - q[3]), 0.75 * (q[3] - truth)) + 0.5 * abs(error)
        + greatest(0.75 * (truth - q[5]), 0.25 * (q[5] - truth)) + greatest(0.90 * (truth - q[6]), 0.10 * (q[6] - truth))
        + greatest(0.95 * (truth - q[7]), 0.05 * (q[7] - truth))
    ) / 7),
    sum(truth), sum(error),
    count(*) FILTER (WHERE truth BETWEEN q[3] AND q[5]),
    count(*) FILTER (WHERE truth BETWEEN q[2] AND q[6]),
    count(*) FILTER (WHERE truth BETWEEN q[1] AND q[7])
FROM missed
GROUP BY district_id, quantity, minutes, state

-- name: score_peaks
-- Score the peaks of a local day [%(start)s, %(end)s) that is over; its peak is known where nine tenths of its quarter
-- hours are. For lead L counts the newest that was issued within the hour until L before the day's end.
WITH span (start, finish, back) AS (
    VALUES (%(start)s::timestamptz, %(end)s::timestamptz, 0), (%(week_start)s::timestamptz, %(week_end)s::timestamptz, 1)
), reading AS MATERIALIZED (
    SELECT span.back, sensor_id, sensor.district_id, bucket, power_kw::double precision AS power
    FROM span
    JOIN sensing.energy_15min ON bucket >= span.start AND bucket < span.finish AND power_kw IS NOT NULL
    JOIN sensing.sensor ON sensor.id = sensor_id
), usual AS (
    SELECT sensor_id, district_id, avg(abs(power)) AS power FROM reading GROUP BY sensor_id, district_id
), whole AS (
    SELECT place, sum(power) AS power
    FROM usual CROSS JOIN unnest(ARRAY[0, district_id::integer]) AS place
    WHERE place IS NOT NULL
    GROUP BY place
), drawn AS (
    SELECT back, place, bucket, sum(reading.power) AS power, sum(usual.power) AS known
    FROM reading
    JOIN usual USING (sensor_id)
    CROSS JOIN unnest(ARRAY[0, reading.district_id::integer]) AS place
    WHERE place IS NOT NULL
    GROUP BY back, place, bucket
), highest AS MATERIALIZED (
    SELECT back, sensor_id, NULL::integer AS place, max(power) AS value, count(*) AS steps
    FROM reading GROUP BY back, sensor_id
    UNION ALL
    SELECT back, NULL, place, max(drawn.power * whole.power / nullif(drawn.known, 0)), count(*)
    FROM drawn JOIN whole USING (place)
    WHERE drawn.known >= %(held)s * whole.power
    GROUP BY back, place
), truth AS (
    SELECT highest.* FROM highest JOIN span USING (back)
    WHERE steps >= %(held)s * extract(epoch FROM span.finish - span.start) / 900
), told AS (
    SELECT DISTINCT ON (peak.sensor_id, peak.district_id, peak.quantity, lead.minutes)
        peak.sensor_id, peak.district_id, peak.quantity, peak.state, lead.minutes,
        ARRAY[q05, q10, q25, q50, q75, q90, q95]::double precision[] AS q
    FROM forecast.peak
    CROSS JOIN unnest(%(leads)s::integer[]) AS lead (minutes)
    WHERE peak.day = %(day)s
        AND peak.issued_at <= %(end)s::timestamptz - make_interval(mins => lead.minutes)
        AND peak.issued_at > %(end)s::timestamptz - make_interval(mins => lead.minutes) - interval '1 hour'
    ORDER BY peak.sensor_id, peak.district_id, peak.quantity, lead.minutes, peak.issued_at DESC, peak.run_id DESC
), missed AS (
    SELECT told.*, today.value AS truth, q[4] - today.value AS error, abs(weekly.value - today.value) AS naive_error
    FROM told
    JOIN truth AS today ON today.back = 0 AND today.sensor_id IS NOT DISTINCT FROM told.sensor_id
        AND today.place IS NOT DISTINCT FROM CASE WHEN told.sensor_id IS NULL THEN coalesce(told.district_id, 0) END
    LEFT JOIN truth AS weekly ON weekly.back = 1 AND weekly.sensor_id IS NOT DISTINCT FROM today.sensor_id
        AND weekly.place IS NOT DISTINCT FROM today.place
)
INSERT INTO forecast.load_score
    (what, sensor_id, district_id, quantity, lead_minutes, day, state, n, absolute_error, naive_absolute_error, naive_n,
     compared_error, pinball, observed_sum, signed_error, inside_50, inside_80, inside_90)
SELECT 'peak', sensor_id, district_id, quantity, minutes, %(day)s, state,
    1, abs(error), naive_error, (naive_error IS NOT NULL)::integer, CASE WHEN naive_error IS NOT NULL THEN abs(error) END,
    (
        greatest(0.05 * (truth - q[1]), 0.95 * (q[1] - truth)) + greatest(0.10 * (truth - q[2]), 0.90 * (q[2] - truth))
        + greatest(0.25 * (truth - q[3]), 0.75 * (q[3] - truth)) + 0.5 * abs(error)
        + greatest(0.75 * (truth - q[5]), 0.25 * (q[5] - truth)) + greatest(0.90 * (truth - q[6]), 0.10 * (q[6] - truth))
        + greatest(0.95 * (truth - q[7]), 0.05 * (q[7] - truth))
    ) / 7,
    truth, error,
    (truth BETWEEN q[3] AND q[5])::integer, (truth BETWEEN q[2] AND q[6])::integer, (truth BETWEEN q[1] AND q[7])::integer
FROM missed
