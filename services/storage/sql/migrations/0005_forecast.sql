-- Forecasts with two times: when they were issued and what they are about. Nothing is overwritten.
CREATE TABLE forecast.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issued_at timestamptz NOT NULL,
    kind text NOT NULL,
    step_seconds integer NOT NULL,
    steps integer NOT NULL,
    trained_from timestamptz,
    trained_to timestamptz,
    data_hash text NOT NULL,
    config_hash text NOT NULL,
    seconds real NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX run_issued_at ON forecast.run (issued_at);
COMMENT ON COLUMN forecast.run.issued_at IS 'Only what had been received by then was used.';

CREATE TABLE forecast.series (
    run_id bigint NOT NULL REFERENCES forecast.run ON DELETE CASCADE,
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    issued_at timestamptz NOT NULL,
    model text NOT NULL,
    state text NOT NULL CHECK (state IN ('normal', 'degraded', 'stale')),
    reason text,
    PRIMARY KEY (sensor_id, quantity, issued_at, run_id)
);
COMMENT ON COLUMN forecast.series.issued_at IS 'As in the run, kept here so that the newest forecast of a sensor is one index look-up.';
CREATE INDEX series_run ON forecast.series (run_id);

CREATE TABLE forecast.value (
    run_id bigint NOT NULL REFERENCES forecast.run ON DELETE CASCADE,
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    target_at timestamptz NOT NULL,
    q05 real NOT NULL,
    q10 real NOT NULL,
    q25 real NOT NULL,
    q50 real NOT NULL,
    q75 real NOT NULL,
    q90 real NOT NULL,
    q95 real NOT NULL,
    PRIMARY KEY (run_id, sensor_id, quantity, target_at)
);

-- How forecasts did once their target time had passed, beside the seasonal naive of 168 hours.
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
    PRIMARY KEY (sensor_id, quantity, lead_minutes, day)
);
COMMENT ON TABLE forecast.score IS 'Sums over the UTC day, so that any grouping divides sums and never averages ratios.';

GRANT SELECT ON ALL TABLES IN SCHEMA forecast TO arterial_jobs, arterial_api;
GRANT INSERT, DELETE ON forecast.run, forecast.series, forecast.value TO arterial_jobs;
GRANT INSERT, UPDATE, DELETE ON forecast.score TO arterial_jobs;
