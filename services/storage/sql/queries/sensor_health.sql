-- name: judge
-- Judge every sensor from its last hours of readings and keep the result; answers how many have each diagnosis. A series is
-- a sensor's readings, or those of one of its quantities; a sensor of several is judged by its worst. Tests on the values
-- of a detector count the hours of the day in which roads have traffic. A diagnosis that stays keeps its `since`. Sequence
-- numbers that begin anew would look like a great gap, so only a gap smaller than the readings is told.
WITH window_of AS (
    SELECT s.id, s.kind, s.step_seconds, s.registered_at,
        make_interval(secs => coalesce(s.step_seconds, 300)) AS step,
        greatest(%(now)s - %(window)s::interval, s.registered_at) AS counted_from,
        CASE WHEN s.kind = 'traffic' THEN %(constant_traffic)s::interval ELSE %(constant_other)s::interval END AS constant_for
    FROM sensing.sensor s
), readings AS (
    SELECT sensor_id, '' AS quantity, observed_at, received_at, seq, flow_vph, occupancy, occupancy::double precision AS watched
    FROM sensing.traffic WHERE observed_at > %(now)s - %(window)s::interval AND observed_at <= %(now)s + %(ahead)s::interval
    UNION ALL
    SELECT sensor_id, '', observed_at, received_at, seq, NULL, NULL, power_kw
    FROM sensing.energy WHERE observed_at > %(now)s - %(longest)s::interval AND observed_at <= %(now)s + %(ahead)s::interval
    UNION ALL
    SELECT sensor_id, quantity, observed_at, received_at, seq, NULL, NULL, value
    FROM sensing.observation WHERE observed_at > %(now)s - %(longest)s::interval AND observed_at <= %(now)s + %(ahead)s::interval
), series AS (
    SELECT w.id, r.quantity,
        count(*) FILTER (WHERE r.observed_at >= w.counted_from) AS counted,
        max(r.observed_at) AS newest, max(r.received_at) AS heard,
        min(r.received_at - r.observed_at) AS promptest,
        count(r.occupancy) FILTER (WHERE by_day) AS occupancies,
        count(*) FILTER (WHERE by_day AND r.occupancy = 0) AS zeros,
        count(*) FILTER (WHERE by_day AND r.occupancy > %(high_occupancy)s) AS highs,
        count(*) FILTER (WHERE by_day AND r.flow_vph = 0 AND r.occupancy > 0) AS covered_without_flow,
        count(*) FILTER (WHERE by_day AND r.flow_vph > 0 AND r.occupancy = 0) AS flow_without_cover,
        min(r.watched) FILTER (WHERE recent) AS lowest, max(r.watched) FILTER (WHERE recent) AS highest,
        max(r.observed_at) FILTER (WHERE recent AND r.watched IS NOT NULL)
            - min(r.observed_at) FILTER (WHERE recent AND r.watched IS NOT NULL) AS watched_for,
        greatest(max(r.seq) - min(r.seq) + 1 - count(r.seq), 0) AS skipped
    FROM window_of w
    JOIN readings r ON r.sensor_id = w.id
    CROSS JOIN LATERAL (SELECT
        r.observed_at >= %(now)s - %(window)s::interval
            AND extract(hour FROM r.observed_at AT TIME ZONE %(zone)s) BETWEEN %(first_hour)s AND %(last_hour)s AS by_day,
        r.observed_at >= %(now)s - w.constant_for - 3 * w.step AS recent
    ) l
    GROUP BY w.id, r.quantity
), signals AS (
    SELECT w.id, l.heard_at, e.expected_at, l.skipped, l.delay_s,
        CASE WHEN %(now)s > e.expected_at + greatest(w.step, %(tolerance)s::interval) THEN e.expected_at END AS missing_since
    FROM window_of w
    LEFT JOIN sensing.sensor_health old ON old.sensor_id = w.id
    CROSS JOIN LATERAL (
        SELECT coalesce(max(r.heard), old.heard_at) AS heard_at,
            coalesce(sum(r.skipped) FILTER (WHERE r.skipped <= r.counted), 0)::int AS skipped,
            extract(epoch FROM min(r.promptest))::double precision AS delay_s
        FROM series r WHERE r.id = w.id
    ) l
    CROSS JOIN LATERAL (SELECT coalesce(l.heard_at, w.registered_at) + w.step AS expected_at) e
), judged AS (
    SELECT DISTINCT ON (w.id) w.id, d.rank, d.diagnosis, d.detail
    FROM window_of w
    LEFT JOIN series r ON r.id = w.id
    CROSS JOIN LATERAL (
        SELECT floor(extract(epoch FROM %(now)s - w.step - w.counted_from) / w.step_seconds) AS expected
    ) e
    CROSS JOIN LATERAL (VALUES
        (1, 'no_data', r.newest IS NULL OR r.newest < %(now)s - greatest(3 * w.step, interval '15 minutes'),
            coalesce('no reading since ' || to_char(r.newest, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'no reading in the last hours')),
        (2, 'insufficient_data', e.expected >= %(least)s AND r.counted < %(least_share)s * e.expected,
            format('%%s readings where %%s were expected', r.counted, e.expected)),
        (3, 'card_off', r.occupancies >= %(least)s AND r.zeros > %(zero_share)s * r.occupancies,
            format('occupancy was zero in %%s of %%s readings', r.zeros, r.occupancies)),
        (4, 'high_value', r.occupancies >= %(least)s AND r.highs > %(high_share)s * r.occupancies,
            format('occupancy was above %%s in %%s of %%s readings', %(high_occupancy)s, r.highs, r.occupancies)),
        (5, 'intermittent', r.occupancies >= %(least)s AND r.covered_without_flow >= 3
                AND r.covered_without_flow > %(covered_share)s * r.occupancies,
            format('occupied without flow in %%s of %%s readings', r.covered_without_flow, r.occupancies)),
        (5, 'intermittent', r.occupancies >= %(least)s AND r.flow_without_cover > %(uncovered_share)s * r.occupancies,
            format('flow without occupancy in %%s of %%s readings', r.flow_without_cover, r.occupancies)),
        (6, 'constant', r.lowest = r.highest AND r.lowest <> 0 AND r.watched_for >= w.constant_for,
            format('%%sthe same value for %%s minutes', nullif(r.quantity, '') || ': ',
                round(extract(epoch FROM r.watched_for) / 60))),
        (7, 'clock_skew', r.promptest < -%(skew)s::interval,
            format('its clock is %%s s ahead', round(extract(epoch FROM -r.promptest)))),
        (7, 'clock_skew', r.promptest > w.step + %(lag)s::interval,
            format('its clock is behind, or its readings are always late: %%s s', round(extract(epoch FROM r.promptest - w.step)))),
        (8, 'ok', true, CASE WHEN r.skipped BETWEEN 1 AND r.counted THEN format('%%s sequence numbers are missing', r.skipped)
            ELSE 'nothing was found' END)
    ) AS d (rank, diagnosis, holds, detail)
    WHERE d.holds
    ORDER BY w.id, d.rank, r.quantity
), kept AS (
    INSERT INTO sensing.sensor_health AS h
        (sensor_id, judged_at, diagnosis, since, detail, heard_at, expected_at, missing_since, skipped, delay_s)
    SELECT id, %(now)s, diagnosis, %(now)s, detail, heard_at, expected_at, missing_since, skipped, delay_s
    FROM judged JOIN signals USING (id)
    ON CONFLICT (sensor_id) DO UPDATE SET judged_at = excluded.judged_at, diagnosis = excluded.diagnosis,
        since = CASE WHEN h.diagnosis = excluded.diagnosis THEN h.since ELSE excluded.since END, detail = excluded.detail,
        heard_at = excluded.heard_at, expected_at = excluded.expected_at, missing_since = excluded.missing_since,
        skipped = excluded.skipped, delay_s = excluded.delay_s
    RETURNING diagnosis
)
SELECT diagnosis, count(*) FROM kept GROUP BY diagnosis;

-- name: list
-- Diagnoses in order of the sensor's code; a page starts after `after`.
SELECT s.code AS sensor, s.kind, s.name, s.lon, s.lat, d.code AS district, h.diagnosis, h.since, h.judged_at, h.detail,
    h.heard_at, h.expected_at, h.missing_since, h.skipped, h.delay_s
FROM sensing.sensor_health AS h
JOIN sensing.sensor AS s ON s.id = h.sensor_id
LEFT JOIN sensing.district AS d ON d.id = s.district_id
WHERE s.code > %(after)s
  AND (%(diagnosis)s::text IS NULL OR h.diagnosis = %(diagnosis)s)
  AND (%(kind)s::text IS NULL OR s.kind = %(kind)s)
  AND (%(district)s::text IS NULL OR d.code = %(district)s)
  AND (%(code)s::text IS NULL OR s.code = %(code)s)
  AND (%(missing)s::boolean IS NULL OR (h.missing_since IS NOT NULL) = %(missing)s)
ORDER BY s.code
LIMIT %(limit)s

-- name: counts
-- How many sensors have each diagnosis, most first, and when the newest was made.
SELECT diagnosis, count(*), max(judged_at) FROM sensing.sensor_health GROUP BY diagnosis ORDER BY 2 DESC, 1

-- name: implausible
-- The sensors that send, but something that cannot be right, those that have done so longest last.
SELECT s.code AS sensor, coalesce(s.name, s.code) AS label, h.diagnosis, h.since, h.detail
FROM sensing.sensor_health AS h
JOIN sensing.sensor AS s ON s.id = h.sensor_id
WHERE h.diagnosis NOT IN ('ok', 'no_data') AND h.judged_at > %(now)s::timestamptz - interval '1 hour'
ORDER BY h.since DESC, s.code
LIMIT %(limit)s
