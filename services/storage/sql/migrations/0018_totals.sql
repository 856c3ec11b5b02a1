-- What the districts and the city will draw, and the highest quarter hour of today and tomorrow. Both are written in the
-- transaction of a run, go with it, and are never overwritten.
CREATE TABLE forecast.total (
    run_id bigint NOT NULL REFERENCES forecast.run ON DELETE CASCADE,
    district_id smallint REFERENCES sensing.district ON DELETE CASCADE,
    quantity text NOT NULL,
    issued_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('normal', 'degraded', 'stale')),
    reason text,
    sensors integer NOT NULL CHECK (sensors > 0),
    first_target_at timestamptz NOT NULL,
    step_seconds integer NOT NULL,
    summed real[] NOT NULL,
    q05 real[] NOT NULL,
    q10 real[] NOT NULL,
    q25 real[] NOT NULL,
    q50 real[] NOT NULL,
    q75 real[] NOT NULL,
    q90 real[] NOT NULL,
    q95 real[] NOT NULL,
    UNIQUE NULLS NOT DISTINCT (run_id, district_id, quantity)
);
CREATE INDEX total_newest ON forecast.total (district_id, quantity, issued_at);
COMMENT ON TABLE forecast.total IS 'Forecasts of sums over sensors. The run has shard -1, which no sensor is in.';
COMMENT ON COLUMN forecast.total.district_id IS 'NULL is the whole city, sensors outside all districts included.';
COMMENT ON COLUMN forecast.total.summed IS 'Sum of the medians of the sensors as published; districts and other sensors add up to the city.';

CREATE TABLE forecast.peak (
    run_id bigint NOT NULL REFERENCES forecast.run ON DELETE CASCADE,
    sensor_id integer,
    district_id smallint REFERENCES sensing.district ON DELETE CASCADE,
    quantity text NOT NULL,
    issued_at timestamptz NOT NULL,
    day date NOT NULL,
    state text NOT NULL CHECK (state IN ('normal', 'degraded', 'stale')),
    limit_kw real,
    limit_is text CHECK (limit_is IN ('allowed', 'highest_of_28_days')),
    chance_above real CHECK (chance_above BETWEEN 0 AND 1),
    likely_at timestamptz,
    so_far real,
    q05 real NOT NULL,
    q10 real NOT NULL,
    q25 real NOT NULL,
    q50 real NOT NULL,
    q75 real NOT NULL,
    q90 real NOT NULL,
    q95 real NOT NULL,
    UNIQUE NULLS NOT DISTINCT (run_id, sensor_id, district_id, quantity, day),
    CHECK (num_nonnulls(sensor_id, district_id) <= 1),
    CHECK (num_nonnulls(limit_kw, limit_is, chance_above) IN (0, 3))
);
CREATE INDEX peak_newest ON forecast.peak (sensor_id, district_id, quantity, day, issued_at);
COMMENT ON TABLE forecast.peak IS 'The highest step of a local day: of a sensor, of a district, or of the city where both are NULL.';
COMMENT ON COLUMN forecast.peak.limit_kw IS 'The limit when it was issued; NULL where none is known, and then there is no chance.';
COMMENT ON COLUMN forecast.peak.limit_is IS 'What the device says its feeder may carry; or, for a sum, what it has drawn at most in four weeks.';
COMMENT ON COLUMN forecast.peak.likely_at IS 'The likeliest step; NULL when the highest step so far is likelier to stay it.';
COMMENT ON COLUMN forecast.peak.so_far IS 'The highest step observed of that day when it was issued; NULL before the first.';

GRANT SELECT ON forecast.total, forecast.peak TO arterial_jobs, arterial_api;
GRANT INSERT ON forecast.total, forecast.peak TO arterial_jobs;
