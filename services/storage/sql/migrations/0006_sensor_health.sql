-- What is wrong with each fixed sensor, judged every few minutes from the readings of the last hours.
CREATE TABLE sensing.sensor_health (
    sensor_id integer PRIMARY KEY REFERENCES sensing.sensor ON DELETE CASCADE,
    judged_at timestamptz NOT NULL,
    diagnosis text NOT NULL CHECK (diagnosis IN (
        'ok', 'no_data', 'insufficient_data', 'card_off', 'high_value', 'intermittent', 'constant', 'clock_skew')),
    since timestamptz NOT NULL,
    detail text NOT NULL
);
COMMENT ON COLUMN sensing.sensor_health.since IS 'When this diagnosis was first made without another in between.';

GRANT SELECT, INSERT, UPDATE ON sensing.sensor_health TO arterial_jobs;
GRANT SELECT ON sensing.sensor_health TO arterial_api;
