-- How likely each class of congestion is at a detector, beside the speed forecast of the same run.
CREATE TABLE forecast.congestion (
    run_id bigint NOT NULL REFERENCES forecast.run ON DELETE CASCADE,
    sensor_id integer NOT NULL,
    issued_at timestamptz NOT NULL,
    first_target_at timestamptz NOT NULL,
    step_seconds integer NOT NULL,
    free_flow_kmh real NOT NULL,
    free_flow_estimated boolean NOT NULL,
    capacity_vph real,
    congested real[] STORAGE MAIN NOT NULL,
    slow real[] STORAGE MAIN NOT NULL,
    dense real[] STORAGE MAIN NOT NULL,
    free real[] STORAGE MAIN NOT NULL,
    PRIMARY KEY (sensor_id, issued_at, run_id)
);
ALTER TABLE forecast.congestion SET (toast_tuple_target = 8160);
CREATE INDEX congestion_run ON forecast.congestion (run_id);
COMMENT ON TABLE forecast.congestion IS 'Chances of the classes of speed over free-flow speed, below 0.5, 0.65, 0.85 and above; they sum to 1.';
COMMENT ON COLUMN forecast.congestion.free_flow_kmh IS 'What the speed was divided by at the time of issue; estimated from the history where the device had not told it.';
GRANT SELECT ON forecast.congestion TO arterial_jobs, arterial_api;
GRANT INSERT, DELETE ON forecast.congestion TO arterial_jobs;
