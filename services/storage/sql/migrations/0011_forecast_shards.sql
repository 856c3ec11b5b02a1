-- A forecast is one row that holds its quantiles as arrays: a hundredth of the rows and a third of the bytes of a row
-- per target time, so that ten thousand sensors can be forecast every quarter of an hour for weeks. forecast.value stays
-- what it was to whoever reads it.
ALTER TABLE forecast.run
    ADD COLUMN due_at timestamptz,
    ADD COLUMN shard integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN forecast.run.due_at IS 'The round the timetable asked for, one for all its shards; NULL when a person asked.';
CREATE UNIQUE INDEX run_once ON forecast.run (due_at, kind, step_seconds, shard);

ALTER TABLE forecast.series
    ADD COLUMN first_target_at timestamptz,
    ADD COLUMN step_seconds integer,
    ADD COLUMN scale real,
    ADD COLUMN q05 real[],
    ADD COLUMN q10 real[],
    ADD COLUMN q25 real[],
    ADD COLUMN q50 real[],
    ADD COLUMN q75 real[],
    ADD COLUMN q90 real[],
    ADD COLUMN q95 real[];
COMMENT ON COLUMN forecast.series.scale IS 'Mean absolute difference from the value a week before over the history learnt from; what MASE divides by.';

UPDATE forecast.series SET
    first_target_at = v.first_target_at, step_seconds = v.step_seconds,
    q05 = v.q05, q10 = v.q10, q25 = v.q25, q50 = v.q50, q75 = v.q75, q90 = v.q90, q95 = v.q95
FROM (
    SELECT run_id, sensor_id, quantity, min(target_at) AS first_target_at, min(run.step_seconds) AS step_seconds,
        array_agg(q05 ORDER BY target_at) AS q05, array_agg(q10 ORDER BY target_at) AS q10,
        array_agg(q25 ORDER BY target_at) AS q25, array_agg(q50 ORDER BY target_at) AS q50,
        array_agg(q75 ORDER BY target_at) AS q75, array_agg(q90 ORDER BY target_at) AS q90,
        array_agg(q95 ORDER BY target_at) AS q95
    FROM forecast.value JOIN forecast.run ON run.id = run_id
    GROUP BY run_id, sensor_id, quantity
) AS v
WHERE series.run_id = v.run_id AND series.sensor_id = v.sensor_id AND series.quantity = v.quantity;
DELETE FROM forecast.series WHERE q50 IS NULL;
ALTER TABLE forecast.series
    ALTER COLUMN first_target_at SET NOT NULL, ALTER COLUMN step_seconds SET NOT NULL,
    ALTER COLUMN q05 SET NOT NULL, ALTER COLUMN q10 SET NOT NULL, ALTER COLUMN q25 SET NOT NULL,
    ALTER COLUMN q50 SET NOT NULL, ALTER COLUMN q75 SET NOT NULL, ALTER COLUMN q90 SET NOT NULL,
    ALTER COLUMN q95 SET NOT NULL,
    -- In the row itself: reading one target then costs no look-up in another table, and numbers hardly compress.
    ALTER COLUMN q05 SET STORAGE MAIN, ALTER COLUMN q10 SET STORAGE MAIN, ALTER COLUMN q25 SET STORAGE MAIN,
    ALTER COLUMN q50 SET STORAGE MAIN, ALTER COLUMN q75 SET STORAGE MAIN, ALTER COLUMN q90 SET STORAGE MAIN,
    ALTER COLUMN q95 SET STORAGE MAIN,
    SET (toast_tuple_target = 8160);

DROP TABLE forecast.value;
CREATE VIEW forecast.value AS
SELECT
    series.run_id, series.sensor_id, series.quantity,
    series.first_target_at + (step.number - 1) * series.step_seconds * interval '1 second' AS target_at,
    step.q05, step.q10, step.q25, step.q50, step.q75, step.q90, step.q95
FROM forecast.series
CROSS JOIN LATERAL unnest(
    series.q05, series.q10, series.q25, series.q50, series.q75, series.q90, series.q95
) WITH ORDINALITY AS step (q05, q10, q25, q50, q75, q90, q95, number);
COMMENT ON VIEW forecast.value IS 'One row per target time; ask by run, or by sensor and issue time through forecast.series.';
GRANT SELECT ON forecast.value TO arterial_jobs, arterial_api;

-- What was learnt in the night and only used by day.
CREATE TABLE forecast.fitted (
    shard integer NOT NULL,
    kind text NOT NULL,
    quantity text NOT NULL,
    step_seconds integer NOT NULL,
    trained_at timestamptz NOT NULL,
    trained_to timestamptz NOT NULL,
    config_hash text NOT NULL,
    digest text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (shard, kind, quantity, step_seconds)
);
ALTER TABLE forecast.fitted ALTER COLUMN content SET STORAGE EXTERNAL; -- numbers hardly compress
COMMENT ON COLUMN forecast.fitted.content IS 'Numbers and names only; nothing in it is ever executed.';
COMMENT ON COLUMN forecast.fitted.digest IS 'SHA-256 of the content, by which a worker knows the copy on its own disk.';

-- The scorecard: sums over the UTC day, apart by what the forecast said of itself and by the quality of what happened.
ALTER TABLE forecast.score
    ADD COLUMN state text NOT NULL DEFAULT 'normal' CHECK (state IN ('normal', 'degraded', 'stale')),
    ADD COLUMN quality text NOT NULL DEFAULT 'good' CHECK (quality IN ('good', 'questionable')),
    ADD COLUMN compared_error double precision,
    ADD COLUMN scaled_error double precision,
    ADD COLUMN scaled_n integer NOT NULL DEFAULT 0,
    ADD COLUMN pinball double precision,
    ADD COLUMN inside_50 integer;
ALTER TABLE forecast.score DROP CONSTRAINT score_pkey;
ALTER TABLE forecast.score ADD PRIMARY KEY (sensor_id, quantity, lead_minutes, day, state, quality);
COMMENT ON COLUMN forecast.score.quality IS 'good: no reading of the target was bad (quality 4 or 9).';
COMMENT ON COLUMN forecast.score.compared_error IS 'Sum of absolute errors where there was a value a week before, so that both stand on the same hours.';
COMMENT ON COLUMN forecast.score.scaled_error IS 'Sum of absolute errors over forecast.series.scale.';
COMMENT ON COLUMN forecast.score.pinball IS 'Sum of the mean pinball loss over the quantiles.';

CREATE TABLE forecast.scored (
    day date PRIMARY KEY,
    until timestamptz NOT NULL,
    final boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE forecast.scored IS 'How far each UTC day has been scored; final: once more from the start, when late readings had come.';

GRANT SELECT, INSERT, UPDATE, DELETE ON forecast.fitted, forecast.scored TO arterial_jobs;
