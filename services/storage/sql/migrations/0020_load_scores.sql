-- How forecasts of sums and of the peaks of days did, beside the value a week before. Replaced as a whole while a day is young.
CREATE TABLE forecast.load_score (
    what text NOT NULL CHECK (what IN ('total', 'peak')),
    sensor_id integer,
    district_id smallint REFERENCES sensing.district ON DELETE CASCADE,
    quantity text NOT NULL,
    lead_minutes integer NOT NULL,
    day date NOT NULL,
    state text NOT NULL CHECK (state IN ('normal', 'degraded', 'stale')),
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
    UNIQUE NULLS NOT DISTINCT (what, sensor_id, district_id, quantity, lead_minutes, day, state),
    CHECK (num_nonnulls(sensor_id, district_id) <= 1)
);
COMMENT ON TABLE forecast.load_score IS 'Sums over a day, of a sensor, of a district, or of the city where both are NULL; any grouping divides sums.';
COMMENT ON COLUMN forecast.load_score.day IS 'The UTC day of totals, the local day of peaks.';
COMMENT ON COLUMN forecast.load_score.lead_minutes IS 'Of a total from the issue step to the end of the target, of a peak from the issue to the end of its day.';
COMMENT ON COLUMN forecast.load_score.compared_error IS 'Sum of absolute errors where there was a value a week before, so that both stand on the same targets.';

GRANT SELECT ON forecast.load_score TO arterial_jobs, arterial_api;
GRANT INSERT, DELETE ON forecast.load_score TO arterial_jobs;
