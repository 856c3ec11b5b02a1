-- name: clock
-- The database server's time.
SELECT clock_timestamp();

-- name: roles
-- Which of the three roles may log in.
SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname IN ('arterial_ingest', 'arterial_jobs', 'arterial_api');

-- name: ingest_sessions
-- The ingest sessions seen in the last day, newest first.
SELECT client_id, started_at, seen_at, received, stored, duplicate, dead_lettered, spooled, in_flight
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
