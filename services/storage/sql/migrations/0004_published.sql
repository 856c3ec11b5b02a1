-- What was released, what it cost, and the record of it.
CREATE TABLE governance.budget (
    domain text NOT NULL CHECK (domain IN ('mobility', 'household')),
    day date NOT NULL,
    cap_micro_epsilon bigint NOT NULL CHECK (cap_micro_epsilon > 0),
    spent_micro_epsilon bigint NOT NULL DEFAULT 0 CHECK (spent_micro_epsilon BETWEEN 0 AND cap_micro_epsilon),
    PRIMARY KEY (domain, day)
);

CREATE TABLE governance.charge (
    release_key text PRIMARY KEY,
    domain text NOT NULL,
    day date NOT NULL,
    micro_epsilon bigint NOT NULL CHECK (micro_epsilon > 0),
    charged_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (domain, day) REFERENCES governance.budget
);
COMMENT ON TABLE governance.charge IS 'The ledger: a row is committed before the noise of its release is drawn, and never removed.';

CREATE TABLE published.release (
    release_key text PRIMARY KEY REFERENCES governance.charge,
    plan text NOT NULL,
    plan_version text NOT NULL,
    plan_hash text NOT NULL,
    day date NOT NULL,
    released_at timestamptz NOT NULL DEFAULT now(),
    epsilon double precision NOT NULL,
    delta double precision NOT NULL,
    mechanism text NOT NULL,
    noise_scale double precision NOT NULL,
    threshold integer NOT NULL,
    ci95 double precision NOT NULL,
    cells integer NOT NULL,
    suppressed integer NOT NULL
);
CREATE INDEX release_day ON published.release (plan, day);

CREATE TABLE published.presence (
    release_key text NOT NULL REFERENCES published.release,
    cell bigint NOT NULL,
    hour timestamptz NOT NULL,
    vehicles integer,
    PRIMARY KEY (release_key, cell, hour)
);
CREATE INDEX presence_hour ON published.presence (hour);
COMMENT ON COLUMN published.presence.vehicles IS 'Distinct vehicles, noisy and rounded; NULL is withheld, which looks the same whether few or none.';

CREATE TABLE published.district_energy (
    release_key text NOT NULL REFERENCES published.release,
    district_id smallint NOT NULL,
    day date NOT NULL,
    energy_kwh double precision,
    households integer,
    ci95_kwh double precision,
    PRIMARY KEY (release_key, district_id)
);

CREATE FUNCTION governance.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$body$;
CREATE TRIGGER charge_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.charge
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

GRANT SELECT, INSERT ON governance.charge TO arterial_release;
GRANT SELECT, INSERT ON governance.budget TO arterial_release;
GRANT UPDATE (spent_micro_epsilon) ON governance.budget TO arterial_release;
GRANT SELECT, INSERT ON published.release, published.presence, published.district_energy TO arterial_release;
GRANT SELECT ON published.release, published.presence, published.district_energy TO arterial_jobs, arterial_api;
GRANT SELECT ON governance.charge, governance.budget TO arterial_jobs, arterial_api;
