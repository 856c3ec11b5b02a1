-- name: watch_sessions
-- Keep what the row of a session forgets: its state when the next process begins, steps back, and broken equations.
CREATE SCHEMA nemesis;
CREATE TABLE nemesis.ended_session (
    received bigint, stored bigint, duplicate bigint, dead_lettered bigint, spooled bigint, in_flight bigint
);
CREATE TABLE nemesis.step_back (stored bigint);
CREATE TABLE nemesis.violation (told_at timestamptz DEFAULT now(), session text);
CREATE FUNCTION nemesis.watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF NEW.received <> NEW.stored + NEW.duplicate + NEW.dead_lettered + NEW.spooled + NEW.in_flight THEN
        INSERT INTO nemesis.violation (session) VALUES (NEW::text);
    END IF;
    IF NEW.started_at <> OLD.started_at THEN
        INSERT INTO nemesis.ended_session
        VALUES (OLD.received, OLD.stored, OLD.duplicate, OLD.dead_lettered, OLD.spooled, OLD.in_flight);
    ELSIF NEW.stored < OLD.stored THEN
        INSERT INTO nemesis.step_back VALUES (OLD.stored - NEW.stored);
    END IF;
    RETURN NULL;
END
$body$;
CREATE TRIGGER watch AFTER UPDATE ON sensing.ingest_session FOR EACH ROW EXECUTE FUNCTION nemesis.watch();

-- name: counters
-- What all processes of the session counted together.
SELECT coalesce(sum(received), 0), coalesce(sum(stored), 0), coalesce(sum(duplicate), 0), coalesce(sum(dead_lettered), 0),
    coalesce(sum(spooled), 0), coalesce(sum(in_flight), 0)
FROM (
    SELECT received, stored, duplicate, dead_lettered, spooled, in_flight FROM nemesis.ended_session
    UNION ALL
    SELECT received, stored, duplicate, dead_lettered, spooled, in_flight FROM sensing.ingest_session
) AS s;

-- name: live_counters
-- Of the process that runs now: received, and what is still on its way.
SELECT received, spooled + in_flight FROM sensing.ingest_session;

-- name: watched
-- Messages of commits whose answer was lost, and how often the equation did not hold.
SELECT (SELECT coalesce(sum(stored), 0) FROM nemesis.step_back), (SELECT count(*) FROM nemesis.violation);

-- name: stored
-- Every reading with what a device said.
SELECT s.code, t.seq, t.observed_at, t.flow_vph, t.speed_kmh, t.occupancy
FROM sensing.traffic AS t JOIN sensing.sensor AS s ON s.id = t.sensor_id;

-- name: dead_letters
-- The bytes of every dead letter.
SELECT payload FROM sensing.dead_letter;

-- name: ingest_backends
-- Process numbers of the ingest's connections.
SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'arterial-nemesis';

-- name: terminate_backends
-- End the ingest's connections from the server's side.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'arterial-nemesis';

-- name: make_peer_table
-- Where a pipeline that is not Arterial puts the readings: no key, as its users have it; Pathway adds two columns.
CREATE TABLE public.reading (
    seq bigint, ts text, flow_vph double precision, speed_kmh double precision, occupancy double precision,
    "time" bigint, diff bigint
);

-- name: read_rules_again
-- Let the server read pg_hba.conf again.
SELECT pg_reload_conf();

-- name: peer_rows
-- How many rows a peer has written.
SELECT count(*) FROM public.reading;

-- name: peer_stored
-- What a peer has written.
SELECT seq, flow_vph, speed_kmh, occupancy FROM public.reading;
