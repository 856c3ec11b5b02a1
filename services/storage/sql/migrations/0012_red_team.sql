-- What the attacks on our own releases found, run by run.
CREATE TABLE governance.red_team (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finished_at timestamptz NOT NULL DEFAULT now(),
    passed boolean NOT NULL,
    result jsonb NOT NULL
);
COMMENT ON TABLE governance.red_team IS 'What `arterial privacy attack` printed. Attacks run on generated people, so nothing in it is personal.';
CREATE TRIGGER red_team_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.red_team
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();
GRANT SELECT, INSERT ON governance.red_team TO arterial_jobs;
GRANT SELECT ON governance.red_team TO arterial_api;
