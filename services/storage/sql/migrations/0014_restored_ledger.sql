-- A restored backup has forgotten what was spent after it was made: it is noticed, and what it forgot is never spent again.
ALTER TABLE governance.charge
    ADD COLUMN delta double precision NOT NULL DEFAULT 0 CHECK (delta >= 0 AND delta < 1),
    ADD COLUMN noise jsonb;
COMMENT ON COLUMN governance.charge.noise IS 'The noise that was paid for, measure by measure, for the second accountant; NULL is not known.';

CREATE TABLE governance.incarnation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster text NOT NULL,
    timeline integer NOT NULL,
    database bigint NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE governance.incarnation IS 'Which database the ledger is kept in; a copy of it, or one restored, is another.';
CREATE TRIGGER incarnation_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.incarnation
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TABLE governance.burnt (
    domain text NOT NULL,
    through date NOT NULL,
    burnt_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, through)
);
COMMENT ON TABLE governance.burnt IS 'Days about which nothing more is published, with all before them: they may have been spent before a restore.';
CREATE TRIGGER burnt_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.burnt
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

GRANT SELECT, INSERT ON governance.incarnation, governance.burnt TO arterial_release;
GRANT SELECT ON governance.incarnation, governance.burnt TO arterial_jobs, arterial_api;
