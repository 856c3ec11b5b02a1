-- A message that comes again, because its acknowledgement was lost or a spool repeats it, is a dead letter once. Whoever writes
-- dead letters may not read them, so the database looks whether the same bytes came under the same topic between `since` and
-- `received_at`; where `since` is NULL the message has not been here before, however often its sender repeats it. The places of
-- those that were new are returned, counted from 0.
CREATE FUNCTION sensing.bury(
    received_at timestamptz[], since timestamptz[], topic text[], payload bytea[], payload_bytes integer[], reason text[]
) RETURNS integer[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    WITH letter AS (
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY
            AS l (received_at, since, topic, payload, payload_bytes, reason, place)
    ), fresh AS (
        SELECT l.* FROM letter AS l WHERE NOT EXISTS (
            SELECT FROM sensing.dead_letter AS d
            WHERE d.received_at >= (SELECT min(o.since) FROM letter AS o) AND d.received_at BETWEEN l.since AND l.received_at
                AND d.topic = l.topic AND d.payload_bytes = l.payload_bytes AND d.payload = l.payload
        )
    ), buried AS (
        INSERT INTO sensing.dead_letter (received_at, topic, payload, payload_bytes, reason)
        SELECT f.received_at, f.topic, f.payload, f.payload_bytes, f.reason FROM fresh AS f ORDER BY f.place
    )
    SELECT coalesce(array_agg(f.place::integer - 1 ORDER BY f.place), '{}') FROM fresh AS f
$body$;

CREATE FUNCTION personal.bury(
    received_at timestamptz[], since timestamptz[], topic text[], payload bytea[], payload_bytes integer[], reason text[]
) RETURNS integer[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    WITH letter AS (
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY
            AS l (received_at, since, topic, payload, payload_bytes, reason, place)
    ), fresh AS (
        SELECT l.* FROM letter AS l WHERE NOT EXISTS (
            SELECT FROM personal.dead_letter AS d
            WHERE d.received_at >= (SELECT min(o.since) FROM letter AS o) AND d.received_at BETWEEN l.since AND l.received_at
                AND d.topic = l.topic AND d.payload_bytes = l.payload_bytes AND d.payload = l.payload
        )
    ), buried AS (
        INSERT INTO personal.dead_letter (received_at, topic, payload, payload_bytes, reason)
        SELECT f.received_at, f.topic, f.payload, f.payload_bytes, f.reason FROM fresh AS f ORDER BY f.place
    )
    SELECT coalesce(array_agg(f.place::integer - 1 ORDER BY f.place), '{}') FROM fresh AS f
$body$;

REVOKE ALL ON FUNCTION sensing.bury, personal.bury FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sensing.bury, personal.bury TO arterial_ingest;
