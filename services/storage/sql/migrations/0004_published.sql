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
    plan_hash text NOT NULL,
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
    rounding integer NOT NULL,
    ci95 double precision NOT NULL,
    factor double precision NOT NULL DEFAULT 1 CHECK (factor >= 1),
    cells integer NOT NULL,
    suppressed integer NOT NULL
);
COMMENT ON TABLE published.release IS 'One plan on one local day. Scale, threshold, rounding and ci95 are those of the count that decides what is shown.';
COMMENT ON COLUMN published.release.ci95 IS 'Half-width: what noise and rounding change of a published count stays within this with 95 %.';
COMMENT ON COLUMN published.release.factor IS 'Corrects the counts for cells of a subject that were left out by its bound; in the counts, scale, threshold and ci95 already.';
COMMENT ON COLUMN published.release.suppressed IS 'How many of the cells are withheld.';
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

COMMENT ON COLUMN published.district_energy.energy_kwh IS 'Noisy and rounded; NULL is withheld, because the noisy number of households is below the threshold.';

CREATE FUNCTION governance.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$body$;
CREATE TRIGGER charge_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.charge
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

CREATE TRIGGER destruction_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance.destruction
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

-- There are no refunds: what is spent only grows, and a day's cap stays as it was when the day was first charged.
CREATE FUNCTION governance.refuse_refund() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF NEW.spent_micro_epsilon < OLD.spent_micro_epsilon OR NEW.cap_micro_epsilon <> OLD.cap_micro_epsilon
        OR (NEW.domain, NEW.day) <> (OLD.domain, OLD.day) THEN
        RAISE EXCEPTION 'a privacy budget is only ever spent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$body$;
CREATE TRIGGER budget_is_only_spent BEFORE UPDATE ON governance.budget
    FOR EACH ROW EXECUTE FUNCTION governance.refuse_refund();
CREATE TRIGGER budget_is_kept BEFORE DELETE OR TRUNCATE ON governance.budget
    FOR EACH STATEMENT EXECUTE FUNCTION governance.refuse_change();

GRANT SELECT, INSERT ON governance.charge TO arterial_release;
GRANT SELECT, INSERT ON governance.budget TO arterial_release;
GRANT UPDATE (spent_micro_epsilon) ON governance.budget TO arterial_release;
GRANT SELECT, INSERT ON published.release, published.presence, published.district_energy TO arterial_release;
GRANT SELECT ON published.release, published.presence, published.district_energy TO arterial_jobs, arterial_api;
GRANT SELECT ON governance.charge, governance.budget TO arterial_jobs, arterial_api;
