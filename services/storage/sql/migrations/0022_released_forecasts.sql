-- What will be released of the two days after the newest release, forecast from released numbers alone, and how that did.
CREATE VIEW forecast.released_number AS
SELECT
    release.plan, release.release_key, release.day, date_trunc('hour', release.released_at) AS released_at,
    figure.place, figure.slot, figure.value, figure.ci95
FROM published.release JOIN published.figure USING (release_key)
WHERE release.plan = 'district_load' AND figure.measure = 'energy_kwh'
UNION ALL
SELECT
    release.plan, release.release_key, release.day, date_trunc('hour', release.released_at),
    to_hex(presence.cell), presence.hour, presence.vehicles, release.ci95
FROM published.release JOIN published.presence USING (release_key)
WHERE release.plan = 'presence';
COMMENT ON VIEW forecast.released_number IS 'Released series that are forecast: one row per place and slot; a withheld value is NULL.';

CREATE TABLE forecast.released_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release_key text NOT NULL UNIQUE REFERENCES published.release,
    plan text NOT NULL,
    measure text NOT NULL,
    last_day date NOT NULL,
    days integer NOT NULL CHECK (days > 0),
    issued_at timestamptz NOT NULL,
    first_target_at timestamptz NOT NULL,
    step_seconds integer NOT NULL,
    steps integer NOT NULL,
    data_hash text NOT NULL,
    config_hash text NOT NULL,
    seconds real NOT NULL
);
CREATE INDEX released_run_newest ON forecast.released_run (plan, issued_at);
COMMENT ON TABLE forecast.released_run IS 'One forecast for each release, of the numbers that will be released of the two local days after it.';
COMMENT ON COLUMN forecast.released_run.release_key IS 'The newest release it was made from.';
COMMENT ON COLUMN forecast.released_run.days IS 'Released local days that were learnt from.';
COMMENT ON COLUMN forecast.released_run.issued_at IS 'A full hour, as finer times would tell how long a release took; only what had been released by then was used.';

CREATE TABLE forecast.released_place (
    run_id bigint NOT NULL REFERENCES forecast.released_run ON DELETE CASCADE,
    place text NOT NULL,
    model text,
    state text CHECK (state IN ('normal', 'degraded', 'stale')),
    reason text,
    ci95 double precision NOT NULL,
    q05 real[],
    q10 real[],
    q25 real[],
    q50 real[],
    q75 real[],
    q90 real[],
    q95 real[],
    PRIMARY KEY (run_id, place),
    CHECK (num_nonnulls(model, state, q05, q10, q25, q50, q75, q90, q95) IN (0, 9)),
    CHECK (reason IS NOT NULL OR coalesce(state, '') = 'normal')
);
COMMENT ON TABLE forecast.released_place IS 'One place each. Without state and numbers it is not forecast, and the reason says why.';
COMMENT ON COLUMN forecast.released_place.q50 IS 'NULL at steps whose number is mostly withheld.';
COMMENT ON COLUMN forecast.released_place.ci95 IS 'Half-width of the 95 % interval of its newest released number: how much of the forecast interval is the noise of the release.';

CREATE TABLE forecast.released_score (
    plan text NOT NULL,
    day date NOT NULL,
    days_ahead integer NOT NULL CHECK (days_ahead IN (1, 2)),
    n integer NOT NULL,
    absolute_error double precision NOT NULL,
    released_sum double precision NOT NULL,
    naive_n integer NOT NULL,
    compared_error double precision,
    naive_absolute_error double precision,
    pinball double precision NOT NULL,
    inside_50 integer NOT NULL,
    inside_80 integer NOT NULL,
    inside_90 integer NOT NULL,
    PRIMARY KEY (plan, day, days_ahead)
);
COMMENT ON TABLE forecast.released_score IS 'How forecasts did against the numbers that were then released: sums over a local day, withheld numbers left out.';
COMMENT ON COLUMN forecast.released_score.naive_absolute_error IS 'Of the number released a week before; compared_error is the forecast''s on the same numbers.';

GRANT SELECT ON forecast.released_number, forecast.released_run, forecast.released_place, forecast.released_score
    TO arterial_jobs, arterial_api;
GRANT INSERT, DELETE ON forecast.released_run, forecast.released_place, forecast.released_score TO arterial_jobs;
