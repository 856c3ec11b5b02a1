-- What is known from elsewhere about times to come: weather and events, as observed and as forecast. Rows are added, never
-- changed: what is right is issued again.
CREATE TABLE forecast.covariate (
    variable text NOT NULL CHECK (variable ~ '^[a-z][a-z0-9_]{0,39}$'),
    district_id smallint REFERENCES sensing.district ON DELETE CASCADE,
    valid_at timestamptz NOT NULL,
    issued_at timestamptz NOT NULL CHECK (issued_at >= valid_at - interval '400 days'),
    value double precision NOT NULL CHECK (abs(value) <= 1e12),
    received_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (variable, district_id, valid_at, issued_at)
);
CREATE INDEX covariate_valid ON forecast.covariate (valid_at);
COMMENT ON TABLE forecast.covariate IS 'Issued before it is valid a value is a forecast, after it an observation; of several the last issued by the time of asking counts.';
COMMENT ON COLUMN forecast.covariate.district_id IS 'NULL is everywhere.';
COMMENT ON COLUMN forecast.covariate.received_at IS 'When it was stored here: a forecast as of an earlier time knows nothing received later.';

GRANT SELECT, INSERT, DELETE ON forecast.covariate TO arterial_jobs;
