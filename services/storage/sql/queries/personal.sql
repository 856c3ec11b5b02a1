-- name: may_step_in
-- Whether this role may have the rights of the release role.
SELECT pg_has_role('arterial_release', 'MEMBER')

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

-- name: bike_trips
-- Between which stations bicycles went: records of 32 bytes (subject, origin, destination), strung together likewise.
SELECT string_agg(subject || int8send(origin) || int8send(destination), ''::bytea)
FROM personal.bike_trip
WHERE day = %(day)s
GROUP BY get_byte(subject, 0)

-- name: charging
-- What charging sessions have drawn: records of 32 bytes (subject, district, energy), strung together likewise.
SELECT string_agg(subject || int8send(district_id) || int8send(energy_wh), ''::bytea)
FROM personal.charging
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

-- name: destroy_claims
-- The claims of a purpose up to and with a local day.
DELETE FROM personal.claim WHERE purpose = %(purpose)s AND day <= %(day)s

-- name: destroy_bike
-- All bicycle trips up to and with a local day.
DELETE FROM personal.bike_trip WHERE day <= %(day)s

-- name: destroy_charging
-- All charging sessions up to and with a local day.
DELETE FROM personal.charging WHERE day <= %(day)s

-- name: days_held
-- The local days of which anything personal is there, by class: nothing about how much.
SELECT 'mobility' AS class, day FROM personal.position GROUP BY day
UNION ALL SELECT 'household', day FROM personal.household GROUP BY day
UNION ALL SELECT 'bike', day FROM personal.bike_trip GROUP BY day
UNION ALL SELECT 'charging', day FROM personal.charging GROUP BY day
UNION ALL SELECT purpose || ' claims', day FROM personal.claim GROUP BY purpose, day
UNION ALL SELECT purpose || ' key', day FROM personal.day_key GROUP BY purpose, day
ORDER BY class, day

-- name: oldest_dead_letter
-- When the oldest personal message that could not be read was received.
SELECT min(received_at) FROM personal.dead_letter

-- name: destroyed_through
-- The newest destroyed day of each purpose.
SELECT purpose, max(day) FROM governance.destruction GROUP BY purpose ORDER BY purpose

-- name: proven_days
-- A device's pseudonyms on the days on which it laid down this secret.
SELECT day, subject FROM personal.proven_days(%(purpose)s, %(device)s, %(token)s)

-- name: positions_of
-- What is stored of one subject's day.
SELECT observed_at, to_hex(cell) AS cell, speed_kmh
FROM personal.position
WHERE day = %(day)s AND subject = %(subject)s
ORDER BY observed_at

-- name: households_of
-- The same of a household.
SELECT household.observed_at, district.code AS district, household.energy_wh
FROM personal.household AS household
LEFT JOIN sensing.district AS district ON district.id = household.district_id
WHERE household.day = %(day)s AND household.subject = %(subject)s
ORDER BY household.observed_at

-- name: erase_positions
-- All of it.
DELETE FROM personal.position WHERE day = %(day)s AND subject = %(subject)s

-- name: erase_households
-- The same of a household.
DELETE FROM personal.household WHERE day = %(day)s AND subject = %(subject)s

-- name: object
-- Whose readings are dropped from now on.
INSERT INTO governance.objection (purpose, fingerprint, key_name)
VALUES (%(purpose)s, %(fingerprint)s, %(key_name)s)
ON CONFLICT (purpose, fingerprint) DO NOTHING

-- name: withdraw_objection
-- Whose readings are taken again.
DELETE FROM governance.objection WHERE purpose = %(purpose)s AND fingerprint = %(fingerprint)s

-- name: erase_claim
-- The hash of its secret.
DELETE FROM personal.claim WHERE day = %(day)s AND purpose = %(purpose)s AND subject = %(subject)s
