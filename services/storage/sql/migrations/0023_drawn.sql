-- What was drawn for a release before anything was smoothed, withheld or rounded: noise is in it, so the charge of its day
-- covers it. Days to come are smoothed with it; it is read nowhere else, and forgotten when no day to come needs it.
CREATE TABLE governance.drawn (
    release_key text NOT NULL REFERENCES published.release,
    measure text NOT NULL,
    cells bigint[] NOT NULL,
    counts bigint[] NOT NULL,
    PRIMARY KEY (release_key, measure)
);
COMMENT ON TABLE governance.drawn IS 'Noisy counts over the whole domain, those that were withheld too; noise alone protects them, so only the release role reads them.';
COMMENT ON COLUMN governance.drawn.counts IS 'Cell by cell in the order of cells, each with all slots of the day.';

GRANT SELECT, INSERT, DELETE ON governance.drawn TO arterial_release;
