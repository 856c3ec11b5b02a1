-- Whom forecasts and suppression serve worse: what the fairness audit needs, and what it found.
ALTER TABLE forecast.score ADD COLUMN signed_error double precision;
COMMENT ON COLUMN forecast.score.signed_error IS 'Sum of forecast minus observed; NULL for what was scored before there was this column.';

CREATE TABLE governance.fairness_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audited_at timestamptz NOT NULL DEFAULT now(),
    passed boolean NOT NULL,
    result jsonb NOT NULL
);
COMMENT ON TABLE governance.fairness_audit IS 'What `arterial governance fairness` printed: figures by district and income group, from published values and scores.';
CREATE TRIGGER fairness_audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.fairness_audit
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();
GRANT SELECT, INSERT ON governance.fairness_audit TO arterial_jobs;
GRANT SELECT ON governance.fairness_audit TO arterial_api;
