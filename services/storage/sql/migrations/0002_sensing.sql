-- Fixed sensors and their observations. With TimescaleDB the PARTITION BY clauses are left out and
-- timescale/hypertables.sql makes the same tables hypertables.
CREATE TABLE sensing.district (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL CHECK (length(name) <= 120),
    outline jsonb NOT NULL
);
COMMENT ON COLUMN sensing.district.outline IS 'GeoJSON Polygon or MultiPolygon, WGS 84.';

CREATE TABLE sensing.layer (
    name text PRIMARY KEY CHECK (name IN ('roads', 'water')),
    features jsonb NOT NULL
);
COMMENT ON TABLE sensing.layer IS 'What the map draws besides districts and sensors: GeoJSON FeatureCollections.';

CREATE TABLE sensing.sensor (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 128),
    kind text NOT NULL CHECK (kind IN ('traffic', 'energy', 'environment')),
    name text CHECK (length(name) <= 200),
    lon double precision CHECK (lon BETWEEN -180 AND 180),
    lat double precision CHECK (lat BETWEEN -90 AND 90),
    unit text CHECK (length(unit) <= 40),
    district_id smallint REFERENCES sensing.district,
    road text CHECK (length(road) <= 200),
    free_flow_kmh real CHECK (free_flow_kmh > 0),
    capacity_vph real CHECK (capacity_vph > 0),
    limit_kw real CHECK (limit_kw > 0),
    step_seconds integer CHECK (step_seconds BETWEEN 1 AND 86400),
    described boolean NOT NULL DEFAULT false,
    online boolean,
    status_at timestamptz,
    registered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sensing.sensor.described IS 'Whether its meta message has arrived; until then only its readings are known.';
COMMENT ON COLUMN sensing.sensor.step_seconds IS 'Usual time between two readings [s].';

CREATE TABLE sensing.traffic (
    sensor_id integer NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    seq bigint,
    flow_vph real CHECK (flow_vph >= 0 AND flow_vph < 'Infinity'),
    speed_kmh real CHECK (speed_kmh >= 0 AND speed_kmh < 'Infinity'),
    occupancy real CHECK (occupancy BETWEEN 0 AND 1),
    quality smallint NOT NULL CHECK (quality IN (1, 2, 3, 4, 9)),
    PRIMARY KEY (sensor_id, observed_at)
) PARTITION BY RANGE (observed_at);

CREATE TABLE sensing.energy (
    sensor_id integer NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    seq bigint,
    power_kw real CHECK (power_kw > '-Infinity' AND power_kw < 'Infinity'),
    energy_kwh double precision CHECK (energy_kwh > '-Infinity' AND energy_kwh < 'Infinity'),
    quality smallint NOT NULL CHECK (quality IN (1, 2, 3, 4, 9)),
    PRIMARY KEY (sensor_id, observed_at)
) PARTITION BY RANGE (observed_at);

CREATE TABLE sensing.observation (
    sensor_id integer NOT NULL,
    quantity text NOT NULL CHECK (quantity ~ '^[a-z][a-z0-9_]{0,62}$'),
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    seq bigint,
    value double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    quality smallint NOT NULL CHECK (quality IN (1, 2, 3, 4, 9)),
    PRIMARY KEY (sensor_id, quantity, observed_at)
) PARTITION BY RANGE (observed_at);

-- Time ranges over all sensors. Block ranges instead of a second b-tree, which would halve the writer's rate
-- (measured: 87-124 thousand rows/s with a b-tree, 195-208 with this, 190-212 with the primary key alone).
CREATE INDEX traffic_observed_at ON sensing.traffic USING brin (observed_at) WITH (pages_per_range = 32);
CREATE INDEX energy_observed_at ON sensing.energy USING brin (observed_at) WITH (pages_per_range = 32);
CREATE INDEX observation_observed_at ON sensing.observation USING brin (observed_at) WITH (pages_per_range = 32);

-- Roll-ups: means over rows that are not bad; speed is weighted by flow.
CREATE TABLE sensing.traffic_15min (
    sensor_id integer NOT NULL,
    bucket timestamptz NOT NULL,
    rows integer NOT NULL,
    good integer NOT NULL,
    flow_vph real,
    speed_kmh real,
    occupancy real,
    PRIMARY KEY (sensor_id, bucket)
);
CREATE TABLE sensing.traffic_hour (LIKE sensing.traffic_15min INCLUDING ALL);
CREATE TABLE sensing.energy_15min (
    sensor_id integer NOT NULL,
    bucket timestamptz NOT NULL,
    rows integer NOT NULL,
    good integer NOT NULL,
    power_kw real,
    peak_kw real,
    energy_kwh double precision,
    PRIMARY KEY (sensor_id, bucket)
);
COMMENT ON COLUMN sensing.energy_15min.energy_kwh IS 'Last register value of the bucket, where the meter has a register.';
CREATE TABLE sensing.energy_hour (LIKE sensing.energy_15min INCLUDING ALL);
CREATE TABLE sensing.observation_15min (
    sensor_id integer NOT NULL,
    quantity text NOT NULL,
    bucket timestamptz NOT NULL,
    rows integer NOT NULL,
    good integer NOT NULL,
    value double precision,
    lowest double precision,
    highest double precision,
    PRIMARY KEY (sensor_id, quantity, bucket)
);
CREATE TABLE sensing.observation_hour (LIKE sensing.observation_15min INCLUDING ALL);
CREATE INDEX traffic_15min_bucket ON sensing.traffic_15min (bucket, sensor_id);
CREATE INDEX traffic_hour_bucket ON sensing.traffic_hour (bucket, sensor_id);
CREATE INDEX energy_15min_bucket ON sensing.energy_15min (bucket, sensor_id);
CREATE INDEX energy_hour_bucket ON sensing.energy_hour (bucket, sensor_id);
CREATE INDEX observation_15min_bucket ON sensing.observation_15min (bucket, sensor_id);
CREATE INDEX observation_hour_bucket ON sensing.observation_hour (bucket, sensor_id);

-- Which hours a batch touched. Appended in the batch's own transaction, so whoever sees the row sees the readings.
CREATE TABLE sensing.dirty_hour (
    kind text NOT NULL CHECK (kind IN ('traffic', 'energy', 'observation')),
    sensor_id integer NOT NULL,
    hour timestamptz NOT NULL
);

CREATE TABLE sensing.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    topic text NOT NULL,
    payload bytea NOT NULL,
    payload_bytes integer NOT NULL,
    reason text NOT NULL
);
CREATE INDEX dead_letter_received_at ON sensing.dead_letter (received_at);
COMMENT ON COLUMN sensing.dead_letter.payload IS 'The bytes as received; cut at the payload limit, payload_bytes says how long they were.';

-- received = stored + duplicate + dead_lettered + spooled + in_flight, per ingest session, counted in each batch's transaction.
CREATE TABLE sensing.ingest_session (
    client_id text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    received bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    dead_lettered bigint NOT NULL DEFAULT 0,
    spooled bigint NOT NULL DEFAULT 0,
    in_flight bigint NOT NULL DEFAULT 0
);

-- Monthly partitions of the three observation tables, made when first needed. Called by the ingest writer, which may
-- not create tables itself; months far from now are refused so that a wrong clock cannot litter the schema.
CREATE FUNCTION sensing.ensure_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    parent text;
    first date := date_trunc('month', month)::date;
    partition text;
BEGIN
    IF first < date '1990-01-01' OR first > (now() + interval '3 months')::date THEN
        RAISE EXCEPTION 'no partition for %: only 1990 to three months ahead', first USING ERRCODE = 'check_violation';
    END IF;
    FOREACH parent IN ARRAY ARRAY['traffic', 'energy', 'observation'] LOOP
        IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = ('sensing.' || parent)::regclass) THEN
            RETURN; -- hypertables make their own chunks
        END IF;
        partition := format('%s_%s', parent, to_char(first, 'YYYY_MM'));
        IF to_regclass('sensing.' || partition) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('sensing.ensure_month'));
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS sensing.%I PARTITION OF sensing.%I FOR VALUES FROM (%L) TO (%L)',
                partition, parent,
                (first::timestamp AT TIME ZONE 'UTC'), ((first + interval '1 month') AT TIME ZONE 'UTC')
            );
        END IF;
    END LOOP;
END
$body$;
REVOKE ALL ON FUNCTION sensing.ensure_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sensing.ensure_month TO arterial_ingest, arterial_jobs;

GRANT SELECT, INSERT, UPDATE ON sensing.sensor, sensing.ingest_session TO arterial_ingest;
GRANT SELECT, INSERT, UPDATE ON sensing.traffic, sensing.energy, sensing.observation TO arterial_ingest;
GRANT SELECT ON sensing.district TO arterial_ingest;
GRANT INSERT ON sensing.dirty_hour, sensing.dead_letter TO arterial_ingest;

GRANT SELECT ON ALL TABLES IN SCHEMA sensing TO arterial_jobs;
GRANT INSERT, UPDATE, DELETE ON
    sensing.traffic_15min, sensing.traffic_hour, sensing.energy_15min, sensing.energy_hour,
    sensing.observation_15min, sensing.observation_hour TO arterial_jobs;
GRANT DELETE ON sensing.dirty_hour, sensing.dead_letter TO arterial_jobs;

GRANT SELECT ON
    sensing.district, sensing.layer, sensing.sensor, sensing.traffic, sensing.energy, sensing.observation,
    sensing.traffic_15min, sensing.traffic_hour, sensing.energy_15min, sensing.energy_hour,
    sensing.observation_15min, sensing.observation_hour, sensing.ingest_session TO arterial_api;
GRANT SELECT (id, received_at, topic, payload_bytes, reason) ON sensing.dead_letter TO arterial_api;
GRANT SELECT ON sensing.district TO arterial_release;
