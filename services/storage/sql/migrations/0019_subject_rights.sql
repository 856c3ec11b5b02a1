-- What people may ask for: a device lays down the hash of a secret under its day's pseudonym, and whoever shows the secret
-- later may see or erase that day's rows. No identifier is stored, and without the secret no pseudonym is told.
CREATE TABLE personal.claim (
    day date NOT NULL,
    purpose text NOT NULL,
    subject bytea NOT NULL CHECK (length(subject) = 16),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    PRIMARY KEY (day, purpose, subject)
);
COMMENT ON TABLE personal.claim IS 'SHA-256 of the secret that a device keeps, under its pseudonym of the day; the first one counts. Destroyed with the day.';
GRANT INSERT ON personal.claim TO arterial_ingest;
GRANT SELECT, DELETE ON personal.claim TO arterial_release;

CREATE FUNCTION personal.hmac_sha256(key bytea, message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $body$
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
$body$;
REVOKE ALL ON FUNCTION personal.hmac_sha256 FROM PUBLIC;

-- The days of which there is still a key, with the device's pseudonyms, as far as the secret was laid down on them.
CREATE FUNCTION personal.proven_days(wanted_purpose text, device text, token bytea) RETURNS TABLE (day date, subject bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    SELECT claim.day, claim.subject
    FROM personal.day_key AS day_key
    JOIN personal.claim AS claim
      ON claim.day = day_key.day AND claim.purpose = wanted_purpose
     AND claim.subject = substring(personal.hmac_sha256(day_key.key, convert_to(device, 'UTF8')) FROM 1 FOR 16)
    WHERE day_key.purpose = wanted_purpose AND claim.token_hash = sha256(token)
    ORDER BY claim.day
$body$;
REVOKE ALL ON FUNCTION personal.proven_days FROM PUBLIC;
GRANT EXECUTE ON FUNCTION personal.proven_days TO arterial_release;

-- Who objected, as HMAC-SHA256 of purpose and identifier under a key that is not in the database.
CREATE TABLE governance.objection (
    purpose text NOT NULL,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    key_name text NOT NULL,
    objected_on date NOT NULL DEFAULT current_date,
    PRIMARY KEY (purpose, fingerprint)
);
COMMENT ON TABLE governance.objection IS 'Whose readings ingest drops at the door. Without the key outside of the database nobody can be found in it.';
GRANT SELECT ON governance.objection TO arterial_ingest;
GRANT SELECT, INSERT, DELETE ON governance.objection TO arterial_release;
GRANT SELECT ON governance.destruction TO arterial_ingest;
