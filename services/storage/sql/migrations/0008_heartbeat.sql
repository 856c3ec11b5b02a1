-- When a heartbeat last went the whole way, and what each sensor is waited for.
ALTER TABLE sensing.ingest_session ADD COLUMN heartbeat_at timestamptz;
COMMENT ON COLUMN sensing.ingest_session.heartbeat_at IS 'When a heartbeat last came back from the broker and was committed behind every message before it.';

ALTER TABLE sensing.sensor_health
    ADD COLUMN heard_at timestamptz,
    ADD COLUMN expected_at timestamptz,
    ADD COLUMN missing_since timestamptz,
    ADD COLUMN skipped integer NOT NULL DEFAULT 0,
    ADD COLUMN delay_s double precision;
COMMENT ON COLUMN sensing.sensor_health.heard_at IS 'When its newest reading was received.';
COMMENT ON COLUMN sensing.sensor_health.expected_at IS 'When the next reading is due: one step after the newest was received.';
COMMENT ON COLUMN sensing.sensor_health.missing_since IS 'When a reading was due that had not come when the sensor was judged, with a tolerance; NULL when none is missing.';
COMMENT ON COLUMN sensing.sensor_health.skipped IS 'Sequence numbers that are missing among the readings of the last hours.';
COMMENT ON COLUMN sensing.sensor_health.delay_s IS 'Least time from a stamp to its receipt [s]; below zero its clock is ahead.';
