-- The audit log: rows are only added, each bound to the one before it by its hash, in one function that nobody can go round.
CREATE TABLE governance.audit (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    at timestamptz NOT NULL,
    role text NOT NULL CHECK (role <> '' AND role !~ '[\n\r]'),
    actor text NOT NULL CHECK (actor ~ '^[A-Za-z0-9][A-Za-z0-9 ._:@/-]{0,79}$'),
    action text NOT NULL CHECK (action ~ '^[a-z]+([._-][a-z]+)*$'),
    body text NOT NULL CHECK (jsonb_typeof(body::jsonb) = 'object' AND octet_length(body) <= 65536),
    prev bytea NOT NULL CHECK (length(prev) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_action ON governance.audit (action, seq);
COMMENT ON TABLE governance.audit IS 'What was done with data and rules, in a hash chain. No personal data in it.';
COMMENT ON COLUMN governance.audit.seq IS 'From 1 without a gap.';
COMMENT ON COLUMN governance.audit.role IS 'The database role that was logged in.';
COMMENT ON COLUMN governance.audit.actor IS 'What the caller says it is: a process or a command.';
COMMENT ON COLUMN governance.audit.body IS 'Canonical JSON: keys in byte order, no white space.';
COMMENT ON COLUMN governance.audit.hash IS 'SHA-256 of prev and of seq, microseconds since 1970, role, actor, action and body on a line each; 32 zeros come before row 1.';

-- JSON in the one form that is hashed.
CREATE FUNCTION governance.canonical(document jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RETURN CASE jsonb_typeof(document)
        WHEN 'object' THEN '{' || coalesce((
            SELECT string_agg(to_jsonb(entry.key)::text || ':' || governance.canonical(entry.value), ',' ORDER BY entry.key COLLATE "C")
            FROM jsonb_each(document) AS entry), '') || '}'
        WHEN 'array' THEN '[' || coalesce((
            SELECT string_agg(governance.canonical(item.value), ',' ORDER BY item.place)
            FROM jsonb_array_elements(document) WITH ORDINALITY AS item (value, place)), '') || ']'
        ELSE document::text
    END;
END
$body$;

CREATE FUNCTION governance.audit_hash(prev bytea, seq bigint, at timestamptz, role text, actor text, action text, body text)
RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT sha256(prev || convert_to(
        concat_ws(E'\n', seq, (extract(epoch FROM at) * 1000000)::bigint, role, actor, action, body), 'UTF8'))
$body$;

-- The one way to add a row. Callers say what and who; number, time, role, place in the chain and hash are not theirs to say.
-- Appends follow each other: whoever comes second waits for the first one's transaction to end, so append last in it.
CREATE FUNCTION governance.append_audit(what text, who text, facts jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    last_seq bigint;
    last_hash bytea;
    now_at timestamptz;
    facts_text text := governance.canonical(facts);
BEGIN
    IF session_user = 'arterial_api' AND what NOT IN ('export', 'access.denied', 'configuration.changed')
        OR session_user = 'arterial_ingest' AND what NOT IN ('access.denied', 'configuration.changed') THEN
        RAISE EXCEPTION 'role % does not log %', session_user, what USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('governance.audit', 0));
    SELECT seq, hash INTO last_seq, last_hash FROM governance.audit ORDER BY seq DESC LIMIT 1;
    last_seq := coalesce(last_seq, 0) + 1;
    last_hash := coalesce(last_hash, decode(repeat('00', 32), 'hex'));
    now_at := clock_timestamp();
    INSERT INTO governance.audit (seq, at, role, actor, action, body, prev, hash)
    VALUES (last_seq, now_at, session_user, who, what, facts_text, last_hash,
            governance.audit_hash(last_hash, last_seq, now_at, session_user, who, what, facts_text));
    RETURN last_seq;
END
$body$;

-- The same, unless the newest row of this action and actor says just that; then NULL.
CREATE FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('governance.audit', 0));
    IF governance.canonical(facts) = (
        SELECT body FROM governance.audit WHERE action = what AND actor = who ORDER BY seq DESC LIMIT 1) THEN
        RETURN NULL;
    END IF;
    RETURN governance.append_audit(what, who, facts);
END
$body$;

REVOKE ALL ON FUNCTION governance.append_audit, governance.append_audit_if_new FROM PUBLIC;
GRANT EXECUTE ON FUNCTION governance.append_audit, governance.append_audit_if_new
    TO arterial_ingest, arterial_jobs, arterial_api, arterial_release;
GRANT USAGE ON SCHEMA governance TO arterial_ingest;
GRANT SELECT ON governance.audit TO arterial_jobs, arterial_api;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.audit
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();
