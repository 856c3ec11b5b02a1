-- name: step_in
-- The rights of the release role, until the end of the transaction.
SET LOCAL ROLE arterial_release

-- name: one_at_a_time
-- Lets two workers with the same release key follow each other; freed at the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended(%(release_key)s, 0))

-- name: positions
-- Where the subjects of a local day were: records of 32 bytes (subject, cell, time), strung together in up to 256 pieces.
SELECT string_agg(subject || int8send(cell) || timestamptz_send(observed_at), ''::bytea)
FROM personal.position
WHERE day = %(day)s
GROUP BY get_byte(subject, 0)

-- name: households
-- What the households of a local day used: records of 32 bytes (subject, district, energy), strung together likewise.
SELECT string_agg(subject || int8send(district_id) || int8send(energy_wh), ''::bytea)
FROM personal.household
WHERE day = %(day)s
GROUP BY get_byte(subject, 0)

-- name: movements
-- The same as positions with the speed, -1 where there is none: records of 40 bytes.
SELECT string_agg(
    subject || int8send(cell) || timestamptz_send(observed_at) || int8send(coalesce(round(speed_kmh)::bigint, -1)), ''::bytea)
FROM personal.position
WHERE day = %(day)s
GROUP BY get_byte(subject, 0)

-- name: timed_households
-- The same as households with the beginning of the interval: records of 40 bytes.
SELECT string_agg(
    subject || int8send(district_id) || int8send(energy_wh) || timestamptz_send(observed_at), ''::bytea)
FROM personal.household
WHERE day = %(day)s
GROUP BY get_byte(subject, 0)

-- name: destroy_positions
-- All positions up to and with a local day.
DELETE FROM personal.position WHERE day <= %(day)s

-- name: destroy_households
-- All household rows up to and with a local day.
DELETE FROM personal.household WHERE day <= %(day)s

-- name: destroy_keys
-- The pseudonym keys of a purpose up to and with a local day.
DELETE FROM personal.day_key WHERE purpose = %(purpose)s AND day <= %(day)s

-- name: destroy_dead_letters
-- Undecodable personal messages received before an instant.
DELETE FROM personal.dead_letter WHERE received_at < %(before)s

-- name: record_destruction
-- That a day, and all before it, is gone: from now on it never gets a key again.
INSERT INTO governance.destruction (purpose, day) VALUES (%(purpose)s, %(day)s) ON CONFLICT (purpose, day) DO NOTHING
