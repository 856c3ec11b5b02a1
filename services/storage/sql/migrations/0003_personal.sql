-- Personal rows under pseudonyms that live one local day. No API, dashboard, model or export role enters this schema.
CREATE TABLE personal.day_key (
    purpose text NOT NULL CHECK (purpose IN ('mobility', 'household')),
    day date NOT NULL,
    key bytea NOT NULL CHECK (length(key) = 32),
    PRIMARY KEY (purpose, day)
);
COMMENT ON TABLE personal.day_key IS 'HMAC-SHA256 keys of the day pseudonyms; destroyed with the rows they protect.';

CREATE TABLE personal.position (
    day date NOT NULL,
    subject bytea NOT NULL CHECK (length(subject) = 16),
    observed_at timestamptz NOT NULL,
    cell bigint NOT NULL,
    speed_kmh real,
    PRIMARY KEY (day, subject, observed_at)
);
COMMENT ON COLUMN personal.position.cell IS 'H3 cell of resolution 9; the coordinates themselves are never stored.';

CREATE TABLE personal.household (
    day date NOT NULL,
    subject bytea NOT NULL CHECK (length(subject) = 16),
    observed_at timestamptz NOT NULL,
    district_id smallint NOT NULL,
    energy_wh integer NOT NULL CHECK (energy_wh >= 0),
    PRIMARY KEY (day, subject, observed_at)
);

CREATE TABLE personal.dead_letter (LIKE sensing.dead_letter INCLUDING ALL);
COMMENT ON TABLE personal.dead_letter IS 'Dead letters of personal topics: raw bytes may identify someone, so they live and die here.';

-- The proof of destruction. Rows are not counted here: how many there were is itself a statistic about people.
CREATE TABLE governance.destruction (
    purpose text NOT NULL CHECK (purpose IN ('mobility', 'household')),
    day date NOT NULL,
    destroyed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (purpose, day)
);
COMMENT ON TABLE governance.destruction IS 'Days whose personal rows and key were destroyed, with every day before them.';

-- The key of a day, made on first use. A day whose rows were destroyed never gets a key again.
CREATE FUNCTION personal.key_of_day(wanted_purpose text, wanted_day date, oldest date) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
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
$body$;
REVOKE ALL ON FUNCTION personal.key_of_day FROM PUBLIC;
GRANT EXECUTE ON FUNCTION personal.key_of_day TO arterial_ingest;

GRANT INSERT ON personal.position, personal.household, personal.dead_letter TO arterial_ingest;
GRANT SELECT, DELETE ON personal.position, personal.household, personal.dead_letter TO arterial_release;
GRANT SELECT (purpose, day), DELETE ON personal.day_key TO arterial_release;
GRANT SELECT, INSERT ON governance.destruction TO arterial_release;
GRANT SELECT ON governance.destruction TO arterial_jobs, arterial_api;
