-- More products of the release job: one table for whatever they publish, and the registers and rows that they are made of.
ALTER TABLE governance.budget DROP CONSTRAINT budget_domain_check,
    ADD CONSTRAINT budget_domain_check CHECK (domain IN ('mobility', 'household', 'bike', 'charging'));
ALTER TABLE governance.destruction DROP CONSTRAINT destruction_purpose_check,
    ADD CONSTRAINT destruction_purpose_check CHECK (purpose IN ('mobility', 'household', 'bike', 'charging'));
ALTER TABLE personal.day_key DROP CONSTRAINT day_key_purpose_check,
    ADD CONSTRAINT day_key_purpose_check CHECK (purpose IN ('mobility', 'household', 'bike', 'charging'));

ALTER TABLE sensing.district ADD COLUMN homes integer CHECK (homes >= 0);
COMMENT ON COLUMN sensing.district.homes IS 'How many homes the public register counts; NULL is not known. Never counted from readings.';

CREATE TABLE sensing.station (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('bike', 'charging')),
    code text NOT NULL CHECK (code <> ''),
    name text NOT NULL,
    lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
    lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    district_id smallint REFERENCES sensing.district,
    UNIQUE (purpose, code)
);
COMMENT ON TABLE sensing.station IS 'Where bicycles are rented and cars are charged: the public register that releases are laid over.';

CREATE TABLE personal.bike_trip (
    day date NOT NULL,
    subject bytea NOT NULL CHECK (length(subject) = 16),
    origin integer NOT NULL,
    destination integer NOT NULL,
    PRIMARY KEY (day, subject)
);
COMMENT ON TABLE personal.bike_trip IS 'Trips between stations. The subject is the trip: who rode is not known, so two trips of one rider are two subjects.';

CREATE TABLE personal.charging (
    day date NOT NULL,
    subject bytea NOT NULL CHECK (length(subject) = 16),
    observed_at timestamptz NOT NULL,
    district_id smallint NOT NULL,
    energy_wh integer NOT NULL CHECK (energy_wh >= 0),
    PRIMARY KEY (day, subject, observed_at)
);
COMMENT ON TABLE personal.charging IS 'What a charging session has drawn so far, under the day it began. The subject is the session.';

GRANT INSERT ON personal.bike_trip, personal.charging TO arterial_ingest;
GRANT SELECT, DELETE ON personal.bike_trip, personal.charging TO arterial_release;
GRANT SELECT ON sensing.station TO arterial_ingest, arterial_jobs, arterial_api, arterial_release;

CREATE TABLE published.figure (
    release_key text NOT NULL REFERENCES published.release,
    place text NOT NULL,
    part text NOT NULL DEFAULT '',
    slot timestamptz NOT NULL,
    measure text NOT NULL,
    value double precision,
    ci95 double precision,
    PRIMARY KEY (release_key, place, part, slot, measure),
    CHECK ((value IS NULL) = (ci95 IS NULL))
);
COMMENT ON TABLE published.figure IS 'One published number per public place, slot and measure, for products without a table of their own.';
COMMENT ON COLUMN published.figure.place IS 'H3 cell, code of a district or station, or `city`.';
COMMENT ON COLUMN published.figure.part IS 'What divides the place further: the cell trips go to, a band of lengths; empty where nothing does.';
COMMENT ON COLUMN published.figure.value IS 'Noisy and rounded; NULL is withheld, which looks the same whether few or none.';
COMMENT ON COLUMN published.figure.ci95 IS 'Half-width: what noise and rounding change of the value stays within this with 95 %.';

GRANT SELECT, INSERT ON published.figure TO arterial_release;
GRANT SELECT ON published.figure TO arterial_jobs, arterial_api;
