-- What the migrations have made, as PostgreSQL describes it. Written by tests/migration/test_schema.py; never run.

CREATE SCHEMA forecast;

COMMENT ON SCHEMA forecast IS 'Forecasts as they were issued; nothing is overwritten.';

CREATE SCHEMA governance;

COMMENT ON SCHEMA governance IS 'Privacy budget and the record of what was done.';

CREATE SCHEMA personal;

COMMENT ON SCHEMA personal IS 'Vehicle positions and household loads under day pseudonyms; destroyed within 48 hours.';

CREATE SCHEMA published;

COMMENT ON SCHEMA published IS 'Aggregates released with differential privacy: the only way personal data is ever seen.';

CREATE SCHEMA sensing;

COMMENT ON SCHEMA sensing IS 'Fixed, non-personal sensors: what they are and what they observed.';

CREATE FUNCTION governance.append_audit(what text, who text, facts jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
$$;

CREATE FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('governance.audit', 0));
    IF governance.canonical(facts) = (
        SELECT body FROM governance.audit WHERE action = what AND actor = who ORDER BY seq DESC LIMIT 1) THEN
        RETURN NULL;
    END IF;
    RETURN governance.append_audit(what, who, facts);
END
$$;

CREATE FUNCTION governance.audit_hash(prev bytea, seq bigint, at timestamp with time zone, role text, actor text, action text, body text) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT sha256(prev || convert_to(
        concat_ws(E'\n', seq, (extract(epoch FROM at) * 1000000)::bigint, role, actor, action, body), 'UTF8'))
$$;

CREATE FUNCTION governance.canonical(document jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
$$;

CREATE FUNCTION governance.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION governance.refuse_refund() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.spent_micro_epsilon < OLD.spent_micro_epsilon OR NEW.cap_micro_epsilon <> OLD.cap_micro_epsilon
        OR (NEW.domain, NEW.day) <> (OLD.domain, OLD.day) THEN
        RAISE EXCEPTION 'a privacy budget is only ever spent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION personal.bury(received_at timestamp with time zone[], since timestamp with time zone[], topic text[], payload bytea[], payload_bytes integer[], reason text[]) RETURNS integer[]
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

CREATE FUNCTION personal.hmac_sha256(key bytea, message bytea) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR place IN 0 .. length(key) - 1 LOOP
        inner_pad := set_byte(inner_pad, place, get_byte(key, place) # 54);
        outer_pad := set_byte(outer_pad, place, get_byte(key, place) # 92);
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
$$;

CREATE FUNCTION personal.key_of_day(wanted_purpose text, wanted_day date, oldest date) RETURNS bytea
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    found bytea;
BEGIN
    IF wanted_day < oldest OR wanted_day > (now() + interval '2 days')::date THEN
        RETURN NULL;
    END IF;
    IF wanted_day <= (SELECT max(day) FROM governance.destruction WHERE purpose = wanted_purpose) THEN
        RETURN NULL;
    END IF;
    SELECT key INTO found FROM personal.day_key WHERE purpose = wanted_purpose AND day = wanted_day;
    IF found IS NULL THEN
        INSERT INTO personal.day_key (purpose, day, key)
        VALUES (wanted_purpose, wanted_day, decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
        ON CONFLICT DO NOTHING;
        SELECT key INTO found FROM personal.day_key WHERE purpose = wanted_purpose AND day = wanted_day;
    END IF;
    RETURN found;
END
$$;

CREATE FUNCTION personal.proven_days(wanted_purpose text, device text, token bytea) RETURNS TABLE(day date, subject bytea)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT claim.day, claim.subject
    FROM personal.day_key AS day_key
    JOIN personal.claim AS claim
      ON claim.day = day_key.day AND claim.purpose = wanted_purpose
     AND claim.subject = substring(personal.hmac_sha256(day_key.key, convert_to(device, 'UTF8')) FROM 1 FOR 16)
    WHERE day_key.purpose = wanted_purpose AND claim.token_hash = sha256(token)
    ORDER BY claim.day
$$;

CREATE FUNCTION sensing.bury(received_at timestamp with time zone[], since timestamp with time zone[], topic text[], payload bytea[], payload_bytes integer[], reason text[]) RETURNS integer[]
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

CREATE FUNCTION sensing.ensure_month(month date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    parent text;
    first date := date_trunc('month', month)::date;
    partition text;
BEGIN
    IF first < date '1990-01-01' OR first > (now() + interval '3 months')::date THEN
        RAISE EXCEPTION 'no partition for %: only 1990 to three months ahead', first USING ERRCODE = 'check_violation';
    END IF;
    FOREACH parent IN ARRAY ARRAY['traffic', 'energy', 'observation'] LOOP
        IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = ('sensing.' || parent)::regclass) THEN
            RETURN; -- hypertables make their own chunks
        END IF;
        partition := format('%s_%s', parent, to_char(first, 'YYYY_MM'));
        IF to_regclass('sensing.' || partition) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('sensing.ensure_month'));
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS sensing.%I PARTITION OF sensing.%I FOR VALUES FROM (%L) TO (%L)',
                partition, parent,
                (first::timestamp AT TIME ZONE 'UTC'), ((first + interval '1 month') AT TIME ZONE 'UTC')
            );
        END IF;
    END LOOP;
END
$$;

CREATE TABLE forecast.congestion (
    run_id bigint NOT NULL,
    sensor_id integer NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    first_target_at timestamp with time zone NOT NULL,
    step_seconds integer NOT NULL,
    free_flow_kmh real NOT NULL,
    free_flow_estimated boolean NOT NULL,
    capacity_vph real,
    congested real[] NOT NULL,
    slow real[] NOT NULL,
    dense real[] NOT NULL,
    free real[] NOT NULL
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY forecast.congestion ALTER COLUMN congested SET STORAGE MAIN;
ALTER TABLE ONLY forecast.congestion ALTER COLUMN slow SET STORAGE MAIN;
ALTER TABLE ONLY forecast.congestion ALTER COLUMN dense SET STORAGE MAIN;
ALTER TABLE ONLY forecast.congestion ALTER COLUMN free SET STORAGE MAIN;

COMMENT ON TABLE forecast.congestion IS 'Chances of the classes of speed over free-flow speed, below 0.5, 0.65, 0.85 and above; they sum to 1.';

COMMENT ON COLUMN forecast.congestion.free_flow_kmh IS 'What the speed was divided by at the time of issue; estimated from the history where the device had not told it.';

CREATE TABLE forecast.covariate (
    variable text NOT NULL,
    district_id smallint,
    valid_at timestamp with time zone NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    value double precision NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT covariate_check CHECK ((issued_at >= (valid_at - '400 days'::interval))),
    CONSTRAINT covariate_value_check CHECK ((abs(value) <= ('1000000000000'::numeric)::double precision)),
    CONSTRAINT covariate_variable_check CHECK ((variable ~ '^[a-z][a-z0-9_]{0,39}$'::text))
);

COMMENT ON TABLE forecast.covariate IS 'Issued before it is valid a value is a forecast, after it an observation; of several the last issued by the time of asking counts.';

COMMENT ON COLUMN forecast.covariate.district_id IS 'NULL is everywhere.';

COMMENT ON COLUMN forecast.covariate.received_at IS 'When it was stored here: a forecast as of an earlier time knows nothing received later.';

CREATE TABLE forecast.fitted (
    shard integer NOT NULL,
    kind text NOT NULL,
    quantity text NOT NULL,
    step_seconds integer NOT NULL,
    trained_at timestamp with time zone NOT NULL,
    trained_to timestamp with time zone NOT NULL,
    config_hash text NOT NULL,
    digest text NOT NULL,
    content bytea NOT NULL
);
ALTER TABLE ONLY forecast.fitted ALTER COLUMN content SET STORAGE EXTERNAL;

COMMENT ON COLUMN forecast.fitted.digest IS 'SHA-256 of the content, by which a worker knows the copy on its own disk.';

COMMENT ON COLUMN forecast.fitted.content IS 'Numbers and names only; nothing in it is ever executed.';

CREATE TABLE forecast.load_score (
    what text NOT NULL,
    sensor_id integer,
    district_id smallint,
    quantity text NOT NULL,
    lead_minutes integer NOT NULL,
    day date NOT NULL,
    state text NOT NULL,
    n integer NOT NULL,
    absolute_error double precision NOT NULL,
    naive_absolute_error double precision,
    naive_n integer NOT NULL,
    compared_error double precision,
    pinball double precision NOT NULL,
    observed_sum double precision NOT NULL,
    signed_error double precision NOT NULL,
    inside_50 integer NOT NULL,
    inside_80 integer NOT NULL,
    inside_90 integer NOT NULL,
    CONSTRAINT load_score_check CHECK ((num_nonnulls(sensor_id, district_id) <= 1)),
    CONSTRAINT load_score_state_check CHECK ((state = ANY (ARRAY['normal'::text, 'degraded'::text, 'stale'::text]))),
    CONSTRAINT load_score_what_check CHECK ((what = ANY (ARRAY['total'::text, 'peak'::text])))
);

COMMENT ON TABLE forecast.load_score IS 'Sums over a day, of a sensor, of a district, or of the city where both are NULL; any grouping divides sums.';

COMMENT ON COLUMN forecast.load_score.lead_minutes IS 'Of a total from the issue step to the end of the target, of a peak from the issue to the end of its day.';

COMMENT ON COLUMN forecast.load_score.day IS 'The UTC day of totals, the local day of peaks.';

COMMENT ON COLUMN forecast.load_score.compared_error IS 'Sum of absolute errors where there was a value a week before, so that both stand on the same targets.';

CREATE TABLE forecast.peak (
    run_id bigint NOT NULL,
    sensor_id integer,
    district_id smallint,
    quantity text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    day date NOT NULL,
    state text NOT NULL,
    limit_kw real,
    limit_is text,
    chance_above real,
    likely_at timestamp with time zone,
    so_far real,
    q05 real NOT NULL,
    q10 real NOT NULL,
    q25 real NOT NULL,
    q50 real NOT NULL,
    q75 real NOT NULL,
    q90 real NOT NULL,
    q95 real NOT NULL,
    CONSTRAINT peak_chance_above_check CHECK (((chance_above >= (0)::double precision) AND (chance_above <= (1)::double precision))),
    CONSTRAINT peak_check CHECK ((num_nonnulls(sensor_id, district_id) <= 1)),
    CONSTRAINT peak_check1 CHECK ((num_nonnulls(limit_kw, limit_is, chance_above) = ANY (ARRAY[0, 3]))),
    CONSTRAINT peak_limit_is_check CHECK ((limit_is = ANY (ARRAY['allowed'::text, 'highest_of_28_days'::text]))),
    CONSTRAINT peak_state_check CHECK ((state = ANY (ARRAY['normal'::text, 'degraded'::text, 'stale'::text])))
);

COMMENT ON TABLE forecast.peak IS 'The highest step of a local day: of a sensor, of a district, or of the city where both are NULL.';

COMMENT ON COLUMN forecast.peak.limit_kw IS 'The limit when it was issued; NULL where none is known, and then there is no chance.';

COMMENT ON COLUMN forecast.peak.limit_is IS 'What the device says its feeder may carry; or, for a sum, what it has drawn at most in four weeks.';

COMMENT ON COLUMN forecast.peak.likely_at IS 'The likeliest step; NULL when the highest step so far is likelier to stay it.';

COMMENT ON COLUMN forecast.peak.so_far IS 'The highest step observed of that day when it was issued; NULL before the first.';

CREATE TABLE published.figure (
    release_key text NOT NULL,
    place text NOT NULL,
    part text DEFAULT ''::text NOT NULL,
    slot timestamp with time zone NOT NULL,
    measure text NOT NULL,
    value double precision,
    ci95 double precision,
    CONSTRAINT figure_check CHECK (((value IS NULL) = (ci95 IS NULL)))
);

COMMENT ON TABLE published.figure IS 'One published number per public place, slot and measure, for products without a table of their own.';

COMMENT ON COLUMN published.figure.place IS 'H3 cell, code of a district or station, or `city`.';

COMMENT ON COLUMN published.figure.part IS 'What divides the place further: the cell trips go to, a band of lengths; empty where nothing does.';

COMMENT ON COLUMN published.figure.value IS 'Noisy and rounded; NULL is withheld, which looks the same whether few or none.';

COMMENT ON COLUMN published.figure.ci95 IS 'Half-width: what noise and rounding change of the value stays within this with 95 %.';

CREATE TABLE published.presence (
    release_key text NOT NULL,
    cell bigint NOT NULL,
    hour timestamp with time zone NOT NULL,
    vehicles integer
);

COMMENT ON COLUMN published.presence.vehicles IS 'Distinct vehicles, noisy and rounded; NULL is withheld, which looks the same whether few or none.';

CREATE TABLE published.release (
    release_key text NOT NULL,
    plan text NOT NULL,
    plan_version text NOT NULL,
    plan_hash text NOT NULL,
    day date NOT NULL,
    released_at timestamp with time zone DEFAULT now() NOT NULL,
    epsilon double precision NOT NULL,
    delta double precision NOT NULL,
    mechanism text NOT NULL,
    noise_scale double precision NOT NULL,
    threshold integer NOT NULL,
    rounding integer NOT NULL,
    ci95 double precision NOT NULL,
    factor double precision DEFAULT 1 NOT NULL,
    cells integer NOT NULL,
    suppressed integer NOT NULL,
    CONSTRAINT release_factor_check CHECK ((factor >= (1)::double precision))
);

COMMENT ON TABLE published.release IS 'One plan on one local day. Scale, threshold, rounding and ci95 are those of the count that decides what is shown.';

COMMENT ON COLUMN published.release.ci95 IS 'Half-width: what noise and rounding change of a published count stays within this with 95 %.';

COMMENT ON COLUMN published.release.factor IS 'Corrects the counts for cells of a subject that were left out by its bound; in the counts, scale, threshold and ci95 already.';

COMMENT ON COLUMN published.release.suppressed IS 'How many of the cells are withheld.';

CREATE VIEW forecast.released_number AS
 SELECT release.plan,
    release.release_key,
    release.day,
    date_trunc('hour'::text, release.released_at) AS released_at,
    figure.place,
    figure.slot,
    figure.value,
    figure.ci95
   FROM (published.release
     JOIN published.figure USING (release_key))
  WHERE ((release.plan = 'district_load'::text) AND (figure.measure = 'energy_kwh'::text))
UNION ALL
 SELECT release.plan,
    release.release_key,
    release.day,
    date_trunc('hour'::text, release.released_at) AS released_at,
    to_hex(presence.cell) AS place,
    presence.hour AS slot,
    presence.vehicles AS value,
    release.ci95
   FROM (published.release
     JOIN published.presence USING (release_key))
  WHERE (release.plan = 'presence'::text);

COMMENT ON VIEW forecast.released_number IS 'Released series that are forecast: one row per place and slot; a withheld value is NULL.';

CREATE TABLE forecast.released_place (
    run_id bigint NOT NULL,
    place text NOT NULL,
    model text,
    state text,
    reason text,
    ci95 double precision NOT NULL,
    q05 real[],
    q10 real[],
    q25 real[],
    q50 real[],
    q75 real[],
    q90 real[],
    q95 real[],
    CONSTRAINT released_place_check CHECK ((num_nonnulls(model, state, q05, q10, q25, q50, q75, q90, q95) = ANY (ARRAY[0, 9]))),
    CONSTRAINT released_place_check1 CHECK (((reason IS NOT NULL) OR (COALESCE(state, ''::text) = 'normal'::text))),
    CONSTRAINT released_place_state_check CHECK ((state = ANY (ARRAY['normal'::text, 'degraded'::text, 'stale'::text])))
);

COMMENT ON TABLE forecast.released_place IS 'One place each. Without state and numbers it is not forecast, and the reason says why.';

COMMENT ON COLUMN forecast.released_place.ci95 IS 'Half-width of the 95 % interval of its newest released number: how much of the forecast interval is the noise of the release.';

COMMENT ON COLUMN forecast.released_place.q50 IS 'NULL at steps whose number is mostly withheld.';

CREATE TABLE forecast.released_run (
    id bigint NOT NULL,
    release_key text NOT NULL,
    plan text NOT NULL,
    measure text NOT NULL,
    last_day date NOT NULL,
    days integer NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    first_target_at timestamp with time zone NOT NULL,
    step_seconds integer NOT NULL,
    steps integer NOT NULL,
    data_hash text NOT NULL,
    config_hash text NOT NULL,
    seconds real NOT NULL,
    CONSTRAINT released_run_days_check CHECK ((days > 0))
);

COMMENT ON TABLE forecast.released_run IS 'One forecast for each release, of the numbers that will be released of the two local days after it.';

COMMENT ON COLUMN forecast.released_run.release_key IS 'The newest release it was made from.';

COMMENT ON COLUMN forecast.released_run.days IS 'Released local days that were learnt from.';

COMMENT ON COLUMN forecast.released_run.issued_at IS 'A full hour, as finer times would tell how long a release took; only what had been released by then was used.';

ALTER TABLE forecast.released_run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME forecast.released_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE forecast.released_score (
    plan text NOT NULL,
    day date NOT NULL,
    days_ahead integer NOT NULL,
    n integer NOT NULL,
    absolute_error double precision NOT NULL,
    released_sum double precision NOT NULL,
    naive_n integer NOT NULL,
    compared_error double precision,
    naive_absolute_error double precision,
    pinball double precision NOT NULL,
    inside_50 integer NOT NULL,
    inside_80 integer NOT NULL,
    inside_90 integer NOT NULL,
    CONSTRAINT released_score_days_ahead_check CHECK ((days_ahead = ANY (ARRAY[1, 2])))
);

COMMENT ON TABLE forecast.released_score IS 'How forecasts did against the numbers that were then released: sums over a local day, withheld numbers left out.';

COMMENT ON COLUMN forecast.released_score.naive_absolute_error IS 'Of the number released a week before; compared_error is the forecast''s on the same numbers.';

CREATE TABLE forecast.run (
    id bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    step_seconds integer NOT NULL,
    steps integer NOT NULL,
    trained_from timestamp with time zone,
    trained_to timestamp with time zone,
    data_hash text NOT NULL,
    config_hash text NOT NULL,
    seconds real NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone,
    shard integer DEFAULT 0 NOT NULL
);

COMMENT ON COLUMN forecast.run.issued_at IS 'Only what had been received by then was used.';

COMMENT ON COLUMN forecast.run.due_at IS 'The round the timetable asked for, one for all its shards; NULL when a person asked.';

ALTER TABLE forecast.run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME forecast.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE forecast.score (
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    lead_minutes integer NOT NULL,
    day date NOT NULL,
    n integer NOT NULL,
    absolute_error double precision NOT NULL,
    naive_absolute_error double precision,
    naive_n integer NOT NULL,
    observed_sum double precision NOT NULL,
    inside_80 integer NOT NULL,
    inside_90 integer NOT NULL,
    state text DEFAULT 'normal'::text NOT NULL,
    quality text DEFAULT 'good'::text NOT NULL,
    compared_error double precision,
    scaled_error double precision,
    scaled_n integer DEFAULT 0 NOT NULL,
    pinball double precision,
    inside_50 integer,
    signed_error double precision,
    CONSTRAINT score_quality_check CHECK ((quality = ANY (ARRAY['good'::text, 'questionable'::text]))),
    CONSTRAINT score_state_check CHECK ((state = ANY (ARRAY['normal'::text, 'degraded'::text, 'stale'::text])))
);

COMMENT ON TABLE forecast.score IS 'Sums over the UTC day, so that any grouping divides sums and never averages ratios.';

COMMENT ON COLUMN forecast.score.quality IS 'good: no reading of the target was bad (quality 4 or 9).';

COMMENT ON COLUMN forecast.score.compared_error IS 'Sum of absolute errors where there was a value a week before, so that both stand on the same hours.';

COMMENT ON COLUMN forecast.score.scaled_error IS 'Sum of absolute errors over forecast.series.scale.';

COMMENT ON COLUMN forecast.score.pinball IS 'Sum of the mean pinball loss over the quantiles.';

COMMENT ON COLUMN forecast.score.signed_error IS 'Sum of forecast minus observed; NULL for what was scored before there was this column.';

CREATE TABLE forecast.scored (
    day date NOT NULL,
    until timestamp with time zone NOT NULL,
    final boolean DEFAULT false NOT NULL
);

COMMENT ON TABLE forecast.scored IS 'How far each UTC day has been scored; final: once more from the start, when late readings had come.';

CREATE TABLE forecast.series (
    run_id bigint NOT NULL,
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    model text NOT NULL,
    state text NOT NULL,
    reason text,
    first_target_at timestamp with time zone NOT NULL,
    step_seconds integer NOT NULL,
    scale real,
    q05 real[] NOT NULL,
    q10 real[] NOT NULL,
    q25 real[] NOT NULL,
    q50 real[] NOT NULL,
    q75 real[] NOT NULL,
    q90 real[] NOT NULL,
    q95 real[] NOT NULL,
    CONSTRAINT series_state_check CHECK ((state = ANY (ARRAY['normal'::text, 'degraded'::text, 'stale'::text])))
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY forecast.series ALTER COLUMN q05 SET STORAGE MAIN;
ALTER TABLE ONLY forecast.series ALTER COLUMN q10 SET STORAGE MAIN;
ALTER TABLE ONLY forecast.series ALTER COLUMN q25 SET STORAGE MAIN;
ALTER TABLE ONLY forecast.series ALTER COLUMN q50 SET STORAGE MAIN;
ALTER TABLE ONLY forecast.series ALTER COLUMN q75 SET STORAGE MAIN;
ALTER TABLE ONLY forecast.series ALTER COLUMN q90 SET STORAGE MAIN;
ALTER TABLE ONLY forecast.series ALTER COLUMN q95 SET STORAGE MAIN;

COMMENT ON COLUMN forecast.series.issued_at IS 'As in the run, kept here so that the newest forecast of a sensor is one index look-up.';

COMMENT ON COLUMN forecast.series.scale IS 'Mean absolute difference from the value a week before over the history learnt from; what MASE divides by.';

CREATE TABLE forecast.total (
    run_id bigint NOT NULL,
    district_id smallint,
    quantity text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    reason text,
    sensors integer NOT NULL,
    first_target_at timestamp with time zone NOT NULL,
    step_seconds integer NOT NULL,
    summed real[] NOT NULL,
    q05 real[] NOT NULL,
    q10 real[] NOT NULL,
    q25 real[] NOT NULL,
    q50 real[] NOT NULL,
    q75 real[] NOT NULL,
    q90 real[] NOT NULL,
    q95 real[] NOT NULL,
    CONSTRAINT total_sensors_check CHECK ((sensors > 0)),
    CONSTRAINT total_state_check CHECK ((state = ANY (ARRAY['normal'::text, 'degraded'::text, 'stale'::text])))
);

COMMENT ON TABLE forecast.total IS 'Forecasts of sums over sensors. The run has shard -1, which no sensor is in.';

COMMENT ON COLUMN forecast.total.district_id IS 'NULL is the whole city, sensors outside all districts included.';

COMMENT ON COLUMN forecast.total.summed IS 'Sum of the medians of the sensors as published; districts and other sensors add up to the city.';

CREATE VIEW forecast.value AS
 SELECT series.run_id,
    series.sensor_id,
    series.quantity,
    (series.first_target_at + ((((step.number - 1) * series.step_seconds))::double precision * '00:00:01'::interval)) AS target_at,
    step.q05,
    step.q10,
    step.q25,
    step.q50,
    step.q75,
    step.q90,
    step.q95
   FROM (forecast.series
     CROSS JOIN LATERAL UNNEST(series.q05, series.q10, series.q25, series.q50, series.q75, series.q90, series.q95) WITH ORDINALITY step(q05, q10, q25, q50, q75, q90, q95, number));

COMMENT ON VIEW forecast.value IS 'One row per target time; ask by run, or by sensor and issue time through forecast.series.';

CREATE TABLE governance.audit (
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    role text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    body text NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_action_check CHECK ((action ~ '^[a-z]+([._-][a-z]+)*$'::text)),
    CONSTRAINT audit_actor_check CHECK ((actor ~ '^[A-Za-z0-9][A-Za-z0-9 ._:@/-]{0,79}$'::text)),
    CONSTRAINT audit_body_check CHECK (((jsonb_typeof((body)::jsonb) = 'object'::text) AND (octet_length(body) <= 65536))),
    CONSTRAINT audit_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT audit_prev_check CHECK ((length(prev) = 32)),
    CONSTRAINT audit_role_check CHECK (((role <> ''::text) AND (role !~ '[\n\r]'::text))),
    CONSTRAINT audit_seq_check CHECK ((seq > 0))
);

COMMENT ON TABLE governance.audit IS 'What was done with data and rules, in a hash chain. No personal data in it.';

COMMENT ON COLUMN governance.audit.seq IS 'From 1 without a gap.';

COMMENT ON COLUMN governance.audit.role IS 'The database role that was logged in.';

COMMENT ON COLUMN governance.audit.actor IS 'What the caller says it is: a process or a command.';

COMMENT ON COLUMN governance.audit.body IS 'Canonical JSON: keys in byte order, no white space.';

COMMENT ON COLUMN governance.audit.hash IS 'SHA-256 of prev and of seq, microseconds since 1970, role, actor, action and body on a line each; 32 zeros come before row 1.';

CREATE TABLE governance.budget (
    domain text NOT NULL,
    day date NOT NULL,
    cap_micro_epsilon bigint NOT NULL,
    spent_micro_epsilon bigint DEFAULT 0 NOT NULL,
    CONSTRAINT budget_cap_micro_epsilon_check CHECK ((cap_micro_epsilon > 0)),
    CONSTRAINT budget_check CHECK (((spent_micro_epsilon >= 0) AND (spent_micro_epsilon <= cap_micro_epsilon))),
    CONSTRAINT budget_domain_check CHECK ((domain = ANY (ARRAY['mobility'::text, 'household'::text, 'bike'::text, 'charging'::text])))
);

CREATE TABLE governance.burnt (
    domain text NOT NULL,
    through date NOT NULL,
    burnt_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE governance.burnt IS 'Days about which nothing more is published, with all before them: they may have been spent before a restore.';

CREATE TABLE governance.charge (
    release_key text NOT NULL,
    domain text NOT NULL,
    day date NOT NULL,
    plan_hash text NOT NULL,
    micro_epsilon bigint NOT NULL,
    charged_at timestamp with time zone DEFAULT now() NOT NULL,
    delta double precision DEFAULT 0 NOT NULL,
    noise jsonb,
    CONSTRAINT charge_delta_check CHECK (((delta >= (0)::double precision) AND (delta < (1)::double precision))),
    CONSTRAINT charge_micro_epsilon_check CHECK ((micro_epsilon > 0))
);

COMMENT ON TABLE governance.charge IS 'The ledger: a row is committed before the noise of its release is drawn, and never removed.';

COMMENT ON COLUMN governance.charge.noise IS 'The noise that was paid for, measure by measure, for the second accountant; NULL is not known.';

CREATE TABLE governance.destruction (
    purpose text NOT NULL,
    day date NOT NULL,
    destroyed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT destruction_purpose_check CHECK ((purpose = ANY (ARRAY['mobility'::text, 'household'::text, 'bike'::text, 'charging'::text])))
);

COMMENT ON TABLE governance.destruction IS 'Days whose personal rows and key were destroyed, with every day before them.';

CREATE TABLE governance.drawn (
    release_key text NOT NULL,
    measure text NOT NULL,
    cells bigint[] NOT NULL,
    counts bigint[] NOT NULL
);

COMMENT ON TABLE governance.drawn IS 'Noisy counts over the whole domain, those that were withheld too; noise alone protects them, so only the release role reads them.';

COMMENT ON COLUMN governance.drawn.counts IS 'Cell by cell in the order of cells, each with all slots of the day.';

CREATE TABLE governance.fairness_audit (
    id bigint NOT NULL,
    audited_at timestamp with time zone DEFAULT now() NOT NULL,
    passed boolean NOT NULL,
    result jsonb NOT NULL
);

COMMENT ON TABLE governance.fairness_audit IS 'What `arterial governance fairness` printed: figures by district and income group, from published values and scores.';

ALTER TABLE governance.fairness_audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME governance.fairness_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE governance.incarnation (
    id bigint NOT NULL,
    cluster text NOT NULL,
    timeline integer NOT NULL,
    database bigint NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE governance.incarnation IS 'Which database the ledger is kept in; a copy of it, or one restored, is another.';

ALTER TABLE governance.incarnation ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME governance.incarnation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE governance.objection (
    purpose text NOT NULL,
    fingerprint bytea NOT NULL,
    key_name text NOT NULL,
    objected_on date DEFAULT CURRENT_DATE NOT NULL,
    CONSTRAINT objection_fingerprint_check CHECK ((length(fingerprint) = 32))
);

COMMENT ON TABLE governance.objection IS 'Whose readings ingest drops at the door. Without the key outside of the database nobody can be found in it.';

CREATE TABLE governance.red_team (
    id bigint NOT NULL,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    passed boolean NOT NULL,
    result jsonb NOT NULL
);

COMMENT ON TABLE governance.red_team IS 'What `arterial privacy attack` printed. Attacks run on generated people, so nothing in it is personal.';

ALTER TABLE governance.red_team ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME governance.red_team_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE personal.bike_trip (
    day date NOT NULL,
    subject bytea NOT NULL,
    origin integer NOT NULL,
    destination integer NOT NULL,
    CONSTRAINT bike_trip_subject_check CHECK ((length(subject) = 16))
);

COMMENT ON TABLE personal.bike_trip IS 'Trips between stations. The subject is the trip: who rode is not known, so two trips of one rider are two subjects.';

CREATE TABLE personal.charging (
    day date NOT NULL,
    subject bytea NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    district_id smallint NOT NULL,
    energy_wh integer NOT NULL,
    CONSTRAINT charging_energy_wh_check CHECK ((energy_wh >= 0)),
    CONSTRAINT charging_subject_check CHECK ((length(subject) = 16))
);

COMMENT ON TABLE personal.charging IS 'What a charging session has drawn so far, under the day it began. The subject is the session.';

CREATE TABLE personal.claim (
    day date NOT NULL,
    purpose text NOT NULL,
    subject bytea NOT NULL,
    token_hash bytea NOT NULL,
    CONSTRAINT claim_subject_check CHECK ((length(subject) = 16)),
    CONSTRAINT claim_token_hash_check CHECK ((length(token_hash) = 32))
);

COMMENT ON TABLE personal.claim IS 'SHA-256 of the secret that a device keeps, under its pseudonym of the day; the first one counts. Destroyed with the day.';

CREATE TABLE personal.day_key (
    purpose text NOT NULL,
    day date NOT NULL,
    key bytea NOT NULL,
    CONSTRAINT day_key_key_check CHECK ((length(key) = 32)),
    CONSTRAINT day_key_purpose_check CHECK ((purpose = ANY (ARRAY['mobility'::text, 'household'::text, 'bike'::text, 'charging'::text])))
);

COMMENT ON TABLE personal.day_key IS 'HMAC-SHA256 keys of the day pseudonyms; destroyed with the rows they protect.';

CREATE TABLE personal.dead_letter (
    id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    topic text NOT NULL,
    payload bytea NOT NULL,
    payload_bytes integer NOT NULL,
    reason text NOT NULL
);

COMMENT ON TABLE personal.dead_letter IS 'Dead letters of personal topics: raw bytes may identify someone, so they live and die here.';

COMMENT ON COLUMN personal.dead_letter.payload IS 'The bytes as received; cut at the payload limit, payload_bytes says how long they were.';

ALTER TABLE personal.dead_letter ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME personal.dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE personal.household (
    day date NOT NULL,
    subject bytea NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    district_id smallint NOT NULL,
    energy_wh integer NOT NULL,
    CONSTRAINT household_energy_wh_check CHECK ((energy_wh >= 0)),
    CONSTRAINT household_subject_check CHECK ((length(subject) = 16))
);

CREATE TABLE personal."position" (
    day date NOT NULL,
    subject bytea NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    cell bigint NOT NULL,
    speed_kmh real,
    CONSTRAINT position_subject_check CHECK ((length(subject) = 16))
);

COMMENT ON COLUMN personal."position".cell IS 'H3 cell of resolution 9; the coordinates themselves are never stored.';

CREATE TABLE published.district_energy (
    release_key text NOT NULL,
    district_id smallint NOT NULL,
    day date NOT NULL,
    energy_kwh double precision,
    households integer,
    ci95_kwh double precision
);

COMMENT ON COLUMN published.district_energy.energy_kwh IS 'Noisy and rounded; NULL is withheld, because the noisy number of households is below the threshold.';

CREATE TABLE sensing.dead_letter (
    id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    topic text NOT NULL,
    payload bytea NOT NULL,
    payload_bytes integer NOT NULL,
    reason text NOT NULL
);

COMMENT ON COLUMN sensing.dead_letter.payload IS 'The bytes as received; cut at the payload limit, payload_bytes says how long they were.';

ALTER TABLE sensing.dead_letter ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sensing.dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE sensing.dirty_hour (
    kind text NOT NULL,
    sensor_id integer NOT NULL,
    hour timestamp with time zone NOT NULL,
    CONSTRAINT dirty_hour_kind_check CHECK ((kind = ANY (ARRAY['traffic'::text, 'energy'::text, 'observation'::text])))
);

CREATE TABLE sensing.district (
    id smallint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    outline jsonb NOT NULL,
    homes integer,
    CONSTRAINT district_code_check CHECK ((code ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT district_homes_check CHECK ((homes >= 0)),
    CONSTRAINT district_name_check CHECK ((length(name) <= 120))
);

COMMENT ON COLUMN sensing.district.outline IS 'GeoJSON Polygon or MultiPolygon, WGS 84.';

COMMENT ON COLUMN sensing.district.homes IS 'How many homes the public register counts; NULL is not known. Never counted from readings.';

ALTER TABLE sensing.district ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sensing.district_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE sensing.energy (
    sensor_id integer NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    seq bigint,
    power_kw real,
    energy_kwh double precision,
    quality smallint NOT NULL,
    power_from_register boolean,
    CONSTRAINT energy_energy_kwh_check CHECK (((energy_kwh > '-Infinity'::double precision) AND (energy_kwh < 'Infinity'::double precision))),
    CONSTRAINT energy_power_kw_check CHECK (((power_kw > '-Infinity'::real) AND (power_kw < 'Infinity'::real))),
    CONSTRAINT energy_quality_check CHECK ((quality = ANY (ARRAY[1, 2, 3, 4, 9])))
)
PARTITION BY RANGE (observed_at);

COMMENT ON COLUMN sensing.energy.power_from_register IS 'Whether the power was worked out from this register and the next one, and not reported.';

CREATE TABLE sensing.energy_15min (
    sensor_id integer NOT NULL,
    bucket timestamp with time zone NOT NULL,
    rows integer NOT NULL,
    good integer NOT NULL,
    power_kw real,
    peak_kw real,
    energy_kwh double precision
);

COMMENT ON COLUMN sensing.energy_15min.energy_kwh IS 'Last register value of the bucket, where the meter has a register.';

CREATE TABLE sensing.energy_hour (
    sensor_id integer CONSTRAINT energy_15min_sensor_id_not_null NOT NULL,
    bucket timestamp with time zone CONSTRAINT energy_15min_bucket_not_null NOT NULL,
    rows integer CONSTRAINT energy_15min_rows_not_null NOT NULL,
    good integer CONSTRAINT energy_15min_good_not_null NOT NULL,
    power_kw real,
    peak_kw real,
    energy_kwh double precision
);

COMMENT ON COLUMN sensing.energy_hour.energy_kwh IS 'Last register value of the bucket, where the meter has a register.';

CREATE TABLE sensing.ingest_session (
    client_id text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    stored bigint DEFAULT 0 NOT NULL,
    duplicate bigint DEFAULT 0 NOT NULL,
    dead_lettered bigint DEFAULT 0 NOT NULL,
    spooled bigint DEFAULT 0 NOT NULL,
    in_flight bigint DEFAULT 0 NOT NULL,
    heartbeat_at timestamp with time zone
);

COMMENT ON COLUMN sensing.ingest_session.heartbeat_at IS 'When a heartbeat last came back from the broker and was committed behind every message before it.';

CREATE TABLE sensing.layer (
    name text NOT NULL,
    features jsonb NOT NULL,
    CONSTRAINT layer_name_check CHECK ((name = ANY (ARRAY['roads'::text, 'water'::text])))
);

COMMENT ON TABLE sensing.layer IS 'What the map draws besides districts and sensors: GeoJSON FeatureCollections.';

CREATE TABLE sensing.observation (
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    seq bigint,
    value double precision NOT NULL,
    quality smallint NOT NULL,
    CONSTRAINT observation_quality_check CHECK ((quality = ANY (ARRAY[1, 2, 3, 4, 9]))),
    CONSTRAINT observation_quantity_check CHECK ((quantity ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT observation_value_check CHECK (((value > '-Infinity'::double precision) AND (value < 'Infinity'::double precision)))
)
PARTITION BY RANGE (observed_at);

CREATE TABLE sensing.observation_15min (
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    rows integer NOT NULL,
    good integer NOT NULL,
    value double precision,
    lowest double precision,
    highest double precision
);

CREATE TABLE sensing.observation_hour (
    sensor_id integer CONSTRAINT observation_15min_sensor_id_not_null NOT NULL,
    quantity text CONSTRAINT observation_15min_quantity_not_null NOT NULL,
    bucket timestamp with time zone CONSTRAINT observation_15min_bucket_not_null NOT NULL,
    rows integer CONSTRAINT observation_15min_rows_not_null NOT NULL,
    good integer CONSTRAINT observation_15min_good_not_null NOT NULL,
    value double precision,
    lowest double precision,
    highest double precision
);

CREATE TABLE sensing.sensor (
    id integer NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    name text,
    lon double precision,
    lat double precision,
    unit text,
    district_id smallint,
    road text,
    free_flow_kmh real,
    capacity_vph real,
    limit_kw real,
    step_seconds integer,
    described boolean DEFAULT false NOT NULL,
    online boolean,
    status_at timestamp with time zone,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    register_kwh double precision,
    CONSTRAINT sensor_capacity_vph_check CHECK ((capacity_vph > (0)::double precision)),
    CONSTRAINT sensor_code_check CHECK (((length(code) >= 1) AND (length(code) <= 128))),
    CONSTRAINT sensor_free_flow_kmh_check CHECK ((free_flow_kmh > (0)::double precision)),
    CONSTRAINT sensor_kind_check CHECK ((kind = ANY (ARRAY['traffic'::text, 'energy'::text, 'environment'::text]))),
    CONSTRAINT sensor_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT sensor_limit_kw_check CHECK ((limit_kw > (0)::double precision)),
    CONSTRAINT sensor_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT sensor_name_check CHECK ((length(name) <= 200)),
    CONSTRAINT sensor_register_kwh_check CHECK (((register_kwh > (0)::double precision) AND (register_kwh < 'Infinity'::double precision))),
    CONSTRAINT sensor_road_check CHECK ((length(road) <= 200)),
    CONSTRAINT sensor_step_seconds_check CHECK (((step_seconds >= 1) AND (step_seconds <= 86400))),
    CONSTRAINT sensor_unit_check CHECK ((length(unit) <= 40))
);

COMMENT ON COLUMN sensing.sensor.step_seconds IS 'Usual time between two readings [s].';

COMMENT ON COLUMN sensing.sensor.described IS 'Whether its meta message has arrived; until then only its readings are known.';

COMMENT ON COLUMN sensing.sensor.register_kwh IS 'Where the meter''s register starts again from zero [kWh], as its meta message says.';

CREATE TABLE sensing.sensor_health (
    sensor_id integer NOT NULL,
    judged_at timestamp with time zone NOT NULL,
    diagnosis text NOT NULL,
    since timestamp with time zone NOT NULL,
    detail text NOT NULL,
    heard_at timestamp with time zone,
    expected_at timestamp with time zone,
    missing_since timestamp with time zone,
    skipped integer DEFAULT 0 NOT NULL,
    delay_s double precision,
    CONSTRAINT sensor_health_diagnosis_check CHECK ((diagnosis = ANY (ARRAY['ok'::text, 'no_data'::text, 'insufficient_data'::text, 'card_off'::text, 'high_value'::text, 'intermittent'::text, 'constant'::text, 'clock_skew'::text])))
);

COMMENT ON COLUMN sensing.sensor_health.since IS 'When this diagnosis was first made without another in between.';

COMMENT ON COLUMN sensing.sensor_health.heard_at IS 'When its newest reading was received.';

COMMENT ON COLUMN sensing.sensor_health.expected_at IS 'When the next reading is due: one step after the newest was received.';

COMMENT ON COLUMN sensing.sensor_health.missing_since IS 'When a reading was due that had not come when the sensor was judged, with a tolerance; NULL when none is missing.';

COMMENT ON COLUMN sensing.sensor_health.skipped IS 'Sequence numbers that are missing among the readings of the last hours.';

COMMENT ON COLUMN sensing.sensor_health.delay_s IS 'Least time from a stamp to its receipt [s]; below zero its clock is ahead.';

ALTER TABLE sensing.sensor ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sensing.sensor_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE sensing.station (
    id integer NOT NULL,
    purpose text NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    district_id smallint,
    CONSTRAINT station_code_check CHECK ((code <> ''::text)),
    CONSTRAINT station_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT station_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT station_purpose_check CHECK ((purpose = ANY (ARRAY['bike'::text, 'charging'::text])))
);

COMMENT ON TABLE sensing.station IS 'Where bicycles are rented and cars are charged: the public register that releases are laid over.';

ALTER TABLE sensing.station ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sensing.station_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE sensing.traffic (
    sensor_id integer NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    seq bigint,
    flow_vph real,
    speed_kmh real,
    occupancy real,
    quality smallint NOT NULL,
    CONSTRAINT traffic_flow_vph_check CHECK (((flow_vph >= (0)::double precision) AND (flow_vph < 'Infinity'::real))),
    CONSTRAINT traffic_occupancy_check CHECK (((occupancy >= (0)::double precision) AND (occupancy <= (1)::double precision))),
    CONSTRAINT traffic_quality_check CHECK ((quality = ANY (ARRAY[1, 2, 3, 4, 9]))),
    CONSTRAINT traffic_speed_kmh_check CHECK (((speed_kmh >= (0)::double precision) AND (speed_kmh < 'Infinity'::real)))
)
PARTITION BY RANGE (observed_at);

CREATE TABLE sensing.traffic_15min (
    sensor_id integer NOT NULL,
    bucket timestamp with time zone NOT NULL,
    rows integer NOT NULL,
    good integer NOT NULL,
    flow_vph real,
    speed_kmh real,
    occupancy real
);

CREATE TABLE sensing.traffic_hour (
    sensor_id integer CONSTRAINT traffic_15min_sensor_id_not_null NOT NULL,
    bucket timestamp with time zone CONSTRAINT traffic_15min_bucket_not_null NOT NULL,
    rows integer CONSTRAINT traffic_15min_rows_not_null NOT NULL,
    good integer CONSTRAINT traffic_15min_good_not_null NOT NULL,
    flow_vph real,
    speed_kmh real,
    occupancy real
);

ALTER TABLE ONLY forecast.congestion
    ADD CONSTRAINT congestion_pkey PRIMARY KEY (sensor_id, issued_at, run_id);

ALTER TABLE ONLY forecast.covariate
    ADD CONSTRAINT covariate_variable_district_id_valid_at_issued_at_key UNIQUE NULLS NOT DISTINCT (variable, district_id, valid_at, issued_at);

ALTER TABLE ONLY forecast.fitted
    ADD CONSTRAINT fitted_pkey PRIMARY KEY (shard, kind, quantity, step_seconds);

ALTER TABLE ONLY forecast.load_score
    ADD CONSTRAINT load_score_what_sensor_id_district_id_quantity_lead_minutes_key UNIQUE NULLS NOT DISTINCT (what, sensor_id, district_id, quantity, lead_minutes, day, state);

ALTER TABLE ONLY forecast.peak
    ADD CONSTRAINT peak_run_id_sensor_id_district_id_quantity_day_key UNIQUE NULLS NOT DISTINCT (run_id, sensor_id, district_id, quantity, day);

ALTER TABLE ONLY forecast.released_place
    ADD CONSTRAINT released_place_pkey PRIMARY KEY (run_id, place);

ALTER TABLE ONLY forecast.released_run
    ADD CONSTRAINT released_run_pkey PRIMARY KEY (id);

ALTER TABLE ONLY forecast.released_run
    ADD CONSTRAINT released_run_release_key_key UNIQUE (release_key);

ALTER TABLE ONLY forecast.released_score
    ADD CONSTRAINT released_score_pkey PRIMARY KEY (plan, day, days_ahead);

ALTER TABLE ONLY forecast.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);

ALTER TABLE ONLY forecast.score
    ADD CONSTRAINT score_pkey PRIMARY KEY (sensor_id, quantity, lead_minutes, day, state, quality);

ALTER TABLE ONLY forecast.scored
    ADD CONSTRAINT scored_pkey PRIMARY KEY (day);

ALTER TABLE ONLY forecast.series
    ADD CONSTRAINT series_pkey PRIMARY KEY (sensor_id, quantity, issued_at, run_id);

ALTER TABLE ONLY forecast.total
    ADD CONSTRAINT total_run_id_district_id_quantity_key UNIQUE NULLS NOT DISTINCT (run_id, district_id, quantity);

ALTER TABLE ONLY governance.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY governance.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (domain, day);

ALTER TABLE ONLY governance.burnt
    ADD CONSTRAINT burnt_pkey PRIMARY KEY (domain, through);

ALTER TABLE ONLY governance.charge
    ADD CONSTRAINT charge_pkey PRIMARY KEY (release_key);

ALTER TABLE ONLY governance.destruction
    ADD CONSTRAINT destruction_pkey PRIMARY KEY (purpose, day);

ALTER TABLE ONLY governance.drawn
    ADD CONSTRAINT drawn_pkey PRIMARY KEY (release_key, measure);

ALTER TABLE ONLY governance.fairness_audit
    ADD CONSTRAINT fairness_audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY governance.incarnation
    ADD CONSTRAINT incarnation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY governance.objection
    ADD CONSTRAINT objection_pkey PRIMARY KEY (purpose, fingerprint);

ALTER TABLE ONLY governance.red_team
    ADD CONSTRAINT red_team_pkey PRIMARY KEY (id);

ALTER TABLE ONLY personal.bike_trip
    ADD CONSTRAINT bike_trip_pkey PRIMARY KEY (day, subject);

ALTER TABLE ONLY personal.charging
    ADD CONSTRAINT charging_pkey PRIMARY KEY (day, subject, observed_at);

ALTER TABLE ONLY personal.claim
    ADD CONSTRAINT claim_pkey PRIMARY KEY (day, purpose, subject);

ALTER TABLE ONLY personal.day_key
    ADD CONSTRAINT day_key_pkey PRIMARY KEY (purpose, day);

ALTER TABLE ONLY personal.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (id);

ALTER TABLE ONLY personal.household
    ADD CONSTRAINT household_pkey PRIMARY KEY (day, subject, observed_at);

ALTER TABLE ONLY personal."position"
    ADD CONSTRAINT position_pkey PRIMARY KEY (day, subject, observed_at);

ALTER TABLE ONLY published.district_energy
    ADD CONSTRAINT district_energy_pkey PRIMARY KEY (release_key, district_id);

ALTER TABLE ONLY published.figure
    ADD CONSTRAINT figure_pkey PRIMARY KEY (release_key, place, part, slot, measure);

ALTER TABLE ONLY published.presence
    ADD CONSTRAINT presence_pkey PRIMARY KEY (release_key, cell, hour);

ALTER TABLE ONLY published.release
    ADD CONSTRAINT release_pkey PRIMARY KEY (release_key);

ALTER TABLE ONLY sensing.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (id);

ALTER TABLE ONLY sensing.district
    ADD CONSTRAINT district_code_key UNIQUE (code);

ALTER TABLE ONLY sensing.district
    ADD CONSTRAINT district_pkey PRIMARY KEY (id);

ALTER TABLE ONLY sensing.energy_15min
    ADD CONSTRAINT energy_15min_pkey PRIMARY KEY (sensor_id, bucket);

ALTER TABLE ONLY sensing.energy_hour
    ADD CONSTRAINT energy_hour_pkey PRIMARY KEY (sensor_id, bucket);

ALTER TABLE ONLY sensing.energy
    ADD CONSTRAINT energy_pkey PRIMARY KEY (sensor_id, observed_at);

ALTER TABLE ONLY sensing.ingest_session
    ADD CONSTRAINT ingest_session_pkey PRIMARY KEY (client_id);

ALTER TABLE ONLY sensing.layer
    ADD CONSTRAINT layer_pkey PRIMARY KEY (name);

ALTER TABLE ONLY sensing.observation_15min
    ADD CONSTRAINT observation_15min_pkey PRIMARY KEY (sensor_id, quantity, bucket);

ALTER TABLE ONLY sensing.observation_hour
    ADD CONSTRAINT observation_hour_pkey PRIMARY KEY (sensor_id, quantity, bucket);

ALTER TABLE ONLY sensing.observation
    ADD CONSTRAINT observation_pkey PRIMARY KEY (sensor_id, quantity, observed_at);

ALTER TABLE ONLY sensing.sensor
    ADD CONSTRAINT sensor_code_key UNIQUE (code);

ALTER TABLE ONLY sensing.sensor_health
    ADD CONSTRAINT sensor_health_pkey PRIMARY KEY (sensor_id);

ALTER TABLE ONLY sensing.sensor
    ADD CONSTRAINT sensor_pkey PRIMARY KEY (id);

ALTER TABLE ONLY sensing.station
    ADD CONSTRAINT station_pkey PRIMARY KEY (id);

ALTER TABLE ONLY sensing.station
    ADD CONSTRAINT station_purpose_code_key UNIQUE (purpose, code);

ALTER TABLE ONLY sensing.traffic_15min
    ADD CONSTRAINT traffic_15min_pkey PRIMARY KEY (sensor_id, bucket);

ALTER TABLE ONLY sensing.traffic_hour
    ADD CONSTRAINT traffic_hour_pkey PRIMARY KEY (sensor_id, bucket);

ALTER TABLE ONLY sensing.traffic
    ADD CONSTRAINT traffic_pkey PRIMARY KEY (sensor_id, observed_at);

CREATE INDEX congestion_run ON forecast.congestion USING btree (run_id);

CREATE INDEX covariate_valid ON forecast.covariate USING btree (valid_at);

CREATE INDEX peak_newest ON forecast.peak USING btree (sensor_id, district_id, quantity, day, issued_at);

CREATE INDEX released_run_newest ON forecast.released_run USING btree (plan, issued_at);

CREATE INDEX run_issued_at ON forecast.run USING btree (issued_at);

CREATE UNIQUE INDEX run_once ON forecast.run USING btree (due_at, kind, step_seconds, shard);

CREATE INDEX series_run ON forecast.series USING btree (run_id);

CREATE INDEX total_newest ON forecast.total USING btree (district_id, quantity, issued_at);

CREATE INDEX audit_action ON governance.audit USING btree (action, seq);

CREATE INDEX dead_letter_received_at_idx ON personal.dead_letter USING btree (received_at);

CREATE INDEX presence_hour ON published.presence USING btree (hour);

CREATE INDEX release_day ON published.release USING btree (plan, day);

CREATE INDEX dead_letter_received_at ON sensing.dead_letter USING btree (received_at);

CREATE INDEX energy_15min_bucket ON sensing.energy_15min USING btree (bucket, sensor_id);

CREATE INDEX energy_hour_bucket ON sensing.energy_hour USING btree (bucket, sensor_id);

CREATE INDEX energy_observed_at ON ONLY sensing.energy USING brin (observed_at) WITH (pages_per_range='32');

CREATE INDEX observation_15min_bucket ON sensing.observation_15min USING btree (bucket, sensor_id);

CREATE INDEX observation_hour_bucket ON sensing.observation_hour USING btree (bucket, sensor_id);

CREATE INDEX observation_observed_at ON ONLY sensing.observation USING brin (observed_at) WITH (pages_per_range='32');

CREATE INDEX traffic_15min_bucket ON sensing.traffic_15min USING btree (bucket, sensor_id);

CREATE INDEX traffic_hour_bucket ON sensing.traffic_hour USING btree (bucket, sensor_id);

CREATE INDEX traffic_observed_at ON ONLY sensing.traffic USING brin (observed_at) WITH (pages_per_range='32');

CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.audit FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER budget_is_kept BEFORE DELETE OR TRUNCATE ON governance.budget FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER budget_is_only_spent BEFORE UPDATE ON governance.budget FOR EACH ROW EXECUTE FUNCTION governance.refuse_refund();

CREATE TRIGGER burnt_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.burnt FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER charge_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.charge FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER destruction_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.destruction FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER fairness_audit_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.fairness_audit FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER incarnation_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.incarnation FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER red_team_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON governance.red_team FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

ALTER TABLE ONLY forecast.congestion
    ADD CONSTRAINT congestion_run_id_fkey FOREIGN KEY (run_id) REFERENCES forecast.run(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.covariate
    ADD CONSTRAINT covariate_district_id_fkey FOREIGN KEY (district_id) REFERENCES sensing.district(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.load_score
    ADD CONSTRAINT load_score_district_id_fkey FOREIGN KEY (district_id) REFERENCES sensing.district(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.peak
    ADD CONSTRAINT peak_district_id_fkey FOREIGN KEY (district_id) REFERENCES sensing.district(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.peak
    ADD CONSTRAINT peak_run_id_fkey FOREIGN KEY (run_id) REFERENCES forecast.run(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.released_place
    ADD CONSTRAINT released_place_run_id_fkey FOREIGN KEY (run_id) REFERENCES forecast.released_run(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.released_run
    ADD CONSTRAINT released_run_release_key_fkey FOREIGN KEY (release_key) REFERENCES published.release(release_key);

ALTER TABLE ONLY forecast.series
    ADD CONSTRAINT series_run_id_fkey FOREIGN KEY (run_id) REFERENCES forecast.run(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.total
    ADD CONSTRAINT total_district_id_fkey FOREIGN KEY (district_id) REFERENCES sensing.district(id) ON DELETE CASCADE;

ALTER TABLE ONLY forecast.total
    ADD CONSTRAINT total_run_id_fkey FOREIGN KEY (run_id) REFERENCES forecast.run(id) ON DELETE CASCADE;

ALTER TABLE ONLY governance.charge
    ADD CONSTRAINT charge_domain_day_fkey FOREIGN KEY (domain, day) REFERENCES governance.budget(domain, day);

ALTER TABLE ONLY governance.drawn
    ADD CONSTRAINT drawn_release_key_fkey FOREIGN KEY (release_key) REFERENCES published.release(release_key);

ALTER TABLE ONLY published.district_energy
    ADD CONSTRAINT district_energy_release_key_fkey FOREIGN KEY (release_key) REFERENCES published.release(release_key);

ALTER TABLE ONLY published.figure
    ADD CONSTRAINT figure_release_key_fkey FOREIGN KEY (release_key) REFERENCES published.release(release_key);

ALTER TABLE ONLY published.presence
    ADD CONSTRAINT presence_release_key_fkey FOREIGN KEY (release_key) REFERENCES published.release(release_key);

ALTER TABLE ONLY published.release
    ADD CONSTRAINT release_release_key_fkey FOREIGN KEY (release_key) REFERENCES governance.charge(release_key);

ALTER TABLE ONLY sensing.sensor
    ADD CONSTRAINT sensor_district_id_fkey FOREIGN KEY (district_id) REFERENCES sensing.district(id);

ALTER TABLE ONLY sensing.sensor_health
    ADD CONSTRAINT sensor_health_sensor_id_fkey FOREIGN KEY (sensor_id) REFERENCES sensing.sensor(id) ON DELETE CASCADE;

ALTER TABLE ONLY sensing.station
    ADD CONSTRAINT station_district_id_fkey FOREIGN KEY (district_id) REFERENCES sensing.district(id);

GRANT USAGE ON SCHEMA forecast TO arterial_jobs;
GRANT USAGE ON SCHEMA forecast TO arterial_api;

GRANT USAGE ON SCHEMA governance TO arterial_jobs;
GRANT USAGE ON SCHEMA governance TO arterial_api;
GRANT USAGE ON SCHEMA governance TO arterial_release;
GRANT USAGE ON SCHEMA governance TO arterial_ingest;

GRANT USAGE ON SCHEMA personal TO arterial_ingest;
GRANT USAGE ON SCHEMA personal TO arterial_release;

GRANT USAGE ON SCHEMA published TO arterial_jobs;
GRANT USAGE ON SCHEMA published TO arterial_api;
GRANT USAGE ON SCHEMA published TO arterial_release;

GRANT USAGE ON SCHEMA sensing TO arterial_ingest;
GRANT USAGE ON SCHEMA sensing TO arterial_jobs;
GRANT USAGE ON SCHEMA sensing TO arterial_api;
GRANT USAGE ON SCHEMA sensing TO arterial_release;

REVOKE ALL ON FUNCTION governance.append_audit(what text, who text, facts jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION governance.append_audit(what text, who text, facts jsonb) TO arterial_ingest;
GRANT ALL ON FUNCTION governance.append_audit(what text, who text, facts jsonb) TO arterial_jobs;
GRANT ALL ON FUNCTION governance.append_audit(what text, who text, facts jsonb) TO arterial_api;
GRANT ALL ON FUNCTION governance.append_audit(what text, who text, facts jsonb) TO arterial_release;

REVOKE ALL ON FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) TO arterial_ingest;
GRANT ALL ON FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) TO arterial_jobs;
GRANT ALL ON FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) TO arterial_api;
GRANT ALL ON FUNCTION governance.append_audit_if_new(what text, who text, facts jsonb) TO arterial_release;

REVOKE ALL ON FUNCTION personal.bury(received_at timestamp with time zone[], since timestamp with time zone[], topic text[], payload bytea[], payload_bytes integer[], reason text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION personal.bury(received_at timestamp with time zone[], since timestamp with time zone[], topic text[], payload bytea[], payload_bytes integer[], reason text[]) TO arterial_ingest;

REVOKE ALL ON FUNCTION personal.hmac_sha256(key bytea, message bytea) FROM PUBLIC;

REVOKE ALL ON FUNCTION personal.key_of_day(wanted_purpose text, wanted_day date, oldest date) FROM PUBLIC;
GRANT ALL ON FUNCTION personal.key_of_day(wanted_purpose text, wanted_day date, oldest date) TO arterial_ingest;

REVOKE ALL ON FUNCTION personal.proven_days(wanted_purpose text, device text, token bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION personal.proven_days(wanted_purpose text, device text, token bytea) TO arterial_release;

REVOKE ALL ON FUNCTION sensing.bury(received_at timestamp with time zone[], since timestamp with time zone[], topic text[], payload bytea[], payload_bytes integer[], reason text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION sensing.bury(received_at timestamp with time zone[], since timestamp with time zone[], topic text[], payload bytea[], payload_bytes integer[], reason text[]) TO arterial_ingest;

REVOKE ALL ON FUNCTION sensing.ensure_month(month date) FROM PUBLIC;
GRANT ALL ON FUNCTION sensing.ensure_month(month date) TO arterial_ingest;
GRANT ALL ON FUNCTION sensing.ensure_month(month date) TO arterial_jobs;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.congestion TO arterial_jobs;
GRANT SELECT ON TABLE forecast.congestion TO arterial_api;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.covariate TO arterial_jobs;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE forecast.fitted TO arterial_jobs;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.load_score TO arterial_jobs;
GRANT SELECT ON TABLE forecast.load_score TO arterial_api;

GRANT SELECT,INSERT ON TABLE forecast.peak TO arterial_jobs;
GRANT SELECT ON TABLE forecast.peak TO arterial_api;

GRANT SELECT,INSERT ON TABLE published.figure TO arterial_release;
GRANT SELECT ON TABLE published.figure TO arterial_jobs;
GRANT SELECT ON TABLE published.figure TO arterial_api;

GRANT SELECT,INSERT ON TABLE published.presence TO arterial_release;
GRANT SELECT ON TABLE published.presence TO arterial_jobs;
GRANT SELECT ON TABLE published.presence TO arterial_api;

GRANT SELECT,INSERT ON TABLE published.release TO arterial_release;
GRANT SELECT ON TABLE published.release TO arterial_jobs;
GRANT SELECT ON TABLE published.release TO arterial_api;

GRANT SELECT ON TABLE forecast.released_number TO arterial_jobs;
GRANT SELECT ON TABLE forecast.released_number TO arterial_api;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.released_place TO arterial_jobs;
GRANT SELECT ON TABLE forecast.released_place TO arterial_api;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.released_run TO arterial_jobs;
GRANT SELECT ON TABLE forecast.released_run TO arterial_api;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.released_score TO arterial_jobs;
GRANT SELECT ON TABLE forecast.released_score TO arterial_api;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.run TO arterial_jobs;
GRANT SELECT ON TABLE forecast.run TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE forecast.score TO arterial_jobs;
GRANT SELECT ON TABLE forecast.score TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE forecast.scored TO arterial_jobs;

GRANT SELECT,INSERT,DELETE ON TABLE forecast.series TO arterial_jobs;
GRANT SELECT ON TABLE forecast.series TO arterial_api;

GRANT SELECT,INSERT ON TABLE forecast.total TO arterial_jobs;
GRANT SELECT ON TABLE forecast.total TO arterial_api;

GRANT SELECT ON TABLE forecast.value TO arterial_jobs;
GRANT SELECT ON TABLE forecast.value TO arterial_api;

GRANT SELECT ON TABLE governance.audit TO arterial_jobs;
GRANT SELECT ON TABLE governance.audit TO arterial_api;

GRANT SELECT,INSERT ON TABLE governance.budget TO arterial_release;
GRANT SELECT ON TABLE governance.budget TO arterial_jobs;
GRANT SELECT ON TABLE governance.budget TO arterial_api;

GRANT UPDATE(spent_micro_epsilon) ON TABLE governance.budget TO arterial_release;

GRANT SELECT,INSERT ON TABLE governance.burnt TO arterial_release;
GRANT SELECT ON TABLE governance.burnt TO arterial_jobs;
GRANT SELECT ON TABLE governance.burnt TO arterial_api;

GRANT SELECT,INSERT ON TABLE governance.charge TO arterial_release;
GRANT SELECT ON TABLE governance.charge TO arterial_jobs;
GRANT SELECT ON TABLE governance.charge TO arterial_api;

GRANT SELECT,INSERT ON TABLE governance.destruction TO arterial_release;
GRANT SELECT ON TABLE governance.destruction TO arterial_jobs;
GRANT SELECT ON TABLE governance.destruction TO arterial_api;
GRANT SELECT ON TABLE governance.destruction TO arterial_ingest;

GRANT SELECT,INSERT,DELETE ON TABLE governance.drawn TO arterial_release;

GRANT SELECT,INSERT ON TABLE governance.fairness_audit TO arterial_jobs;
GRANT SELECT ON TABLE governance.fairness_audit TO arterial_api;

GRANT SELECT,INSERT ON TABLE governance.incarnation TO arterial_release;
GRANT SELECT ON TABLE governance.incarnation TO arterial_jobs;
GRANT SELECT ON TABLE governance.incarnation TO arterial_api;

GRANT SELECT ON TABLE governance.objection TO arterial_ingest;
GRANT SELECT,INSERT,DELETE ON TABLE governance.objection TO arterial_release;

GRANT SELECT,INSERT ON TABLE governance.red_team TO arterial_jobs;
GRANT SELECT ON TABLE governance.red_team TO arterial_api;

GRANT INSERT ON TABLE personal.bike_trip TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE personal.bike_trip TO arterial_release;

GRANT INSERT ON TABLE personal.charging TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE personal.charging TO arterial_release;

GRANT INSERT ON TABLE personal.claim TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE personal.claim TO arterial_release;

GRANT DELETE ON TABLE personal.day_key TO arterial_release;

GRANT SELECT(purpose) ON TABLE personal.day_key TO arterial_release;

GRANT SELECT(day) ON TABLE personal.day_key TO arterial_release;

GRANT INSERT ON TABLE personal.dead_letter TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE personal.dead_letter TO arterial_release;

GRANT INSERT ON TABLE personal.household TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE personal.household TO arterial_release;

GRANT INSERT ON TABLE personal."position" TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE personal."position" TO arterial_release;

GRANT SELECT,INSERT ON TABLE published.district_energy TO arterial_release;
GRANT SELECT ON TABLE published.district_energy TO arterial_jobs;
GRANT SELECT ON TABLE published.district_energy TO arterial_api;

GRANT INSERT ON TABLE sensing.dead_letter TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE sensing.dead_letter TO arterial_jobs;

GRANT SELECT(id) ON TABLE sensing.dead_letter TO arterial_api;

GRANT SELECT(received_at) ON TABLE sensing.dead_letter TO arterial_api;

GRANT SELECT(topic) ON TABLE sensing.dead_letter TO arterial_api;

GRANT SELECT(payload_bytes) ON TABLE sensing.dead_letter TO arterial_api;

GRANT SELECT(reason) ON TABLE sensing.dead_letter TO arterial_api;

GRANT INSERT ON TABLE sensing.dirty_hour TO arterial_ingest;
GRANT SELECT,DELETE ON TABLE sensing.dirty_hour TO arterial_jobs;

GRANT SELECT ON TABLE sensing.district TO arterial_ingest;
GRANT SELECT ON TABLE sensing.district TO arterial_jobs;
GRANT SELECT ON TABLE sensing.district TO arterial_api;
GRANT SELECT ON TABLE sensing.district TO arterial_release;

GRANT SELECT,INSERT,UPDATE ON TABLE sensing.energy TO arterial_ingest;
GRANT SELECT ON TABLE sensing.energy TO arterial_jobs;
GRANT SELECT ON TABLE sensing.energy TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.energy_15min TO arterial_jobs;
GRANT SELECT ON TABLE sensing.energy_15min TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.energy_hour TO arterial_jobs;
GRANT SELECT ON TABLE sensing.energy_hour TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.ingest_session TO arterial_ingest;
GRANT SELECT ON TABLE sensing.ingest_session TO arterial_jobs;
GRANT SELECT ON TABLE sensing.ingest_session TO arterial_api;

GRANT SELECT ON TABLE sensing.layer TO arterial_jobs;
GRANT SELECT ON TABLE sensing.layer TO arterial_api;

GRANT SELECT,INSERT,UPDATE ON TABLE sensing.observation TO arterial_ingest;
GRANT SELECT ON TABLE sensing.observation TO arterial_jobs;
GRANT SELECT ON TABLE sensing.observation TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.observation_15min TO arterial_jobs;
GRANT SELECT ON TABLE sensing.observation_15min TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.observation_hour TO arterial_jobs;
GRANT SELECT ON TABLE sensing.observation_hour TO arterial_api;

GRANT SELECT,INSERT,UPDATE ON TABLE sensing.sensor TO arterial_ingest;
GRANT SELECT ON TABLE sensing.sensor TO arterial_jobs;
GRANT SELECT ON TABLE sensing.sensor TO arterial_api;

GRANT SELECT,INSERT,UPDATE ON TABLE sensing.sensor_health TO arterial_jobs;
GRANT SELECT ON TABLE sensing.sensor_health TO arterial_api;

GRANT SELECT ON TABLE sensing.station TO arterial_ingest;
GRANT SELECT ON TABLE sensing.station TO arterial_jobs;
GRANT SELECT ON TABLE sensing.station TO arterial_api;
GRANT SELECT ON TABLE sensing.station TO arterial_release;

GRANT SELECT,INSERT,UPDATE ON TABLE sensing.traffic TO arterial_ingest;
GRANT SELECT ON TABLE sensing.traffic TO arterial_jobs;
GRANT SELECT ON TABLE sensing.traffic TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.traffic_15min TO arterial_jobs;
GRANT SELECT ON TABLE sensing.traffic_15min TO arterial_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE sensing.traffic_hour TO arterial_jobs;
GRANT SELECT ON TABLE sensing.traffic_hour TO arterial_api;
