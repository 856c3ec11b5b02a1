-- The rooms of the house and who may enter them. Login and passwords are set by `arterial migrate`, not here.
CREATE SCHEMA sensing;
CREATE SCHEMA personal;
CREATE SCHEMA published;
CREATE SCHEMA forecast;
CREATE SCHEMA governance;
CREATE SCHEMA jobs;

COMMENT ON SCHEMA sensing IS 'Fixed, non-personal sensors: what they are and what they observed.';
COMMENT ON SCHEMA personal IS 'Vehicle positions and household loads under day pseudonyms; destroyed within 48 hours.';
COMMENT ON SCHEMA published IS 'Aggregates released with differential privacy: the only way personal data is ever seen.';
COMMENT ON SCHEMA forecast IS 'Forecasts as they were issued; nothing is overwritten.';
COMMENT ON SCHEMA governance IS 'Privacy budget and the record of what was done.';
COMMENT ON SCHEMA jobs IS 'The job queue (procrastinate).';

DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['arterial_ingest', 'arterial_jobs', 'arterial_api', 'arterial_release'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
        END IF;
    END LOOP;
END
$roles$;

-- The worker steps into arterial_release for the length of a release transaction and holds none of its rights otherwise.
ALTER ROLE arterial_jobs NOINHERIT;
GRANT arterial_release TO arterial_jobs;

GRANT USAGE ON SCHEMA sensing TO arterial_ingest, arterial_jobs, arterial_api, arterial_release;
GRANT USAGE ON SCHEMA personal TO arterial_ingest, arterial_release;
GRANT USAGE ON SCHEMA published TO arterial_jobs, arterial_api, arterial_release;
GRANT USAGE ON SCHEMA forecast TO arterial_jobs, arterial_api;
GRANT USAGE ON SCHEMA governance TO arterial_jobs, arterial_api, arterial_release;
GRANT USAGE ON SCHEMA jobs TO arterial_jobs;
