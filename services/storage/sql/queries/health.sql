-- name: clock
-- The database server's time.
SELECT clock_timestamp();

-- name: roles
-- Which of the three roles may log in.
SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname IN ('arterial_ingest', 'arterial_jobs', 'arterial_api');

-- name: ingest_sessions
-- The ingest sessions seen in the last day, newest first.
SELECT client_id, started_at, seen_at, heartbeat_at, received, stored, duplicate, dead_lettered, spooled, in_flight
FROM sensing.ingest_session
WHERE seen_at > now() - interval '1 day'
ORDER BY seen_at DESC;

-- name: dirty_hours
-- Sensor-hours whose roll-ups wait.
SELECT count(*) FROM sensing.dirty_hour;

-- name: sensors
-- How many sensors are registered, and how many reported within three of their steps (an hour where unknown).
SELECT count(*), count(*) FILTER (WHERE newest.at > now() - 3 * make_interval(secs => coalesce(s.step_seconds, 1200)))
FROM sensing.sensor s
LEFT JOIN LATERAL (
    SELECT greatest(
        (SELECT max(observed_at) FROM sensing.traffic WHERE sensor_id = s.id AND observed_at > now() - interval '2 days'),
        (SELECT max(observed_at) FROM sensing.energy WHERE sensor_id = s.id AND observed_at > now() - interval '2 days'),
        (SELECT max(observed_at) FROM sensing.observation WHERE sensor_id = s.id AND observed_at > now() - interval '2 days')
    ) AS at
) newest ON true;

-- name: newest_issue
-- When the newest forecast was issued.
SELECT max(issued_at) FROM forecast.run;

-- name: oldest_forecast
-- When the newest forecast of the shard was issued that has waited longest, among those of the last day.
SELECT min(newest) FROM (
    SELECT max(issued_at) AS newest FROM forecast.run WHERE issued_at > now() - interval '1 day' GROUP BY shard, kind
) AS each;

-- name: newest_receipt
-- When the newest reading was received, by its stamp.
SELECT max(at) FROM (
    (SELECT received_at AS at FROM sensing.traffic ORDER BY observed_at DESC LIMIT 1)
    UNION ALL (SELECT received_at FROM sensing.energy ORDER BY observed_at DESC LIMIT 1)
    UNION ALL (SELECT received_at FROM sensing.observation ORDER BY observed_at DESC LIMIT 1)
) newest;

-- name: without_forecast
-- How many sensors the given runs say nothing about.
SELECT count(*) FROM sensing.sensor s
WHERE NOT EXISTS (SELECT FROM forecast.series f WHERE f.sensor_id = s.id AND f.run_id = ANY (%(runs)s));

-- name: has_hypertables
-- Whether TimescaleDB keeps the readings of this database.
SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL;

-- name: chunks
-- All chunks of readings, those compressed, and those that wait although their policy has not ended well for two days.
SELECT count(*), count(*) FILTER (WHERE c.is_compressed),
    count(*) FILTER (WHERE NOT c.is_compressed AND c.range_end < now() - (j.config ->> 'compress_after')::interval
        AND coalesce(s.last_successful_finish, '-infinity') < now() - interval '2 days')
FROM timescaledb_information.chunks c
LEFT JOIN timescaledb_information.jobs j ON j.proc_name IN ('policy_compression', 'policy_columnstore')
    AND (j.hypertable_schema, j.hypertable_name) = (c.hypertable_schema, c.hypertable_name)
LEFT JOIN timescaledb_information.job_stats s ON s.job_id = j.job_id
WHERE c.hypertable_schema = 'sensing';
