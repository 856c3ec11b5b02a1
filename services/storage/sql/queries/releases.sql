-- name: find_release
-- One release by its key.
SELECT release_key, plan, plan_version, plan_hash, day, date_trunc('hour', released_at) AS released_at, epsilon, delta, mechanism, noise_scale, threshold,
       rounding, ci95, factor, cells, suppressed
FROM published.release
WHERE release_key = %(release_key)s

-- name: releases
-- The releases of a range of local days, newest first; of one plan, or of all.
SELECT release_key, plan, plan_version, plan_hash, day, date_trunc('hour', released_at) AS released_at, epsilon, delta, mechanism, noise_scale, threshold,
       rounding, ci95, factor, cells, suppressed
FROM published.release
WHERE day BETWEEN %(first_day)s AND %(last_day)s AND (%(plan)s::text IS NULL OR plan = %(plan)s)
ORDER BY day DESC, plan, release.released_at DESC

-- name: presence
-- Published cells of a range of hours, withheld ones with NULL; of a day released twice, the newer release.
WITH shown AS (
    SELECT DISTINCT ON (day) release_key
    FROM published.release
    WHERE plan = 'presence'
      AND day BETWEEN (%(start)s::timestamptz - interval '1 day')::date AND (%(end)s::timestamptz + interval '1 day')::date
    ORDER BY day, released_at DESC
)
SELECT presence.release_key, presence.cell, presence.hour, presence.vehicles
FROM published.presence JOIN shown USING (release_key)
WHERE presence.hour >= %(start)s AND presence.hour < %(end)s
ORDER BY presence.hour, presence.cell

-- name: presence_hours
-- The first hour and the end of the last hour that any presence release covers.
SELECT min(hour), max(hour) + interval '1 hour' FROM published.presence

-- name: district_energy
-- Daily energy of every district, withheld ones with NULL; of a day released twice, the newer release.
WITH shown AS (
    SELECT DISTINCT ON (day) release_key
    FROM published.release
    WHERE plan = 'district_energy' AND day BETWEEN %(first_day)s AND %(last_day)s
    ORDER BY day, released_at DESC
)
SELECT energy.release_key, district.code AS district, district.name, energy.day, energy.energy_kwh, energy.households,
       energy.ci95_kwh
FROM published.district_energy AS energy
JOIN shown USING (release_key)
JOIN sensing.district ON district.id = energy.district_id
ORDER BY energy.day, district.code

-- name: publish_release
-- The head of a release; its charge must have been committed before.
INSERT INTO published.release (
    release_key, plan, plan_version, plan_hash, day, epsilon, delta, mechanism, noise_scale, threshold, rounding, ci95,
    factor, cells, suppressed
) VALUES (
    %(release_key)s, %(plan)s, %(plan_version)s, %(plan_hash)s, %(day)s, %(epsilon)s, %(delta)s, %(mechanism)s,
    %(noise_scale)s, %(threshold)s, %(rounding)s, %(ci95)s, %(factor)s, %(cells)s, %(suppressed)s
)
RETURNING release_key, plan, plan_version, plan_hash, day, date_trunc('hour', released_at) AS released_at, epsilon, delta, mechanism, noise_scale, threshold,
          rounding, ci95, factor, cells, suppressed

-- name: keep_drawn
-- The noisy numbers of one measure of a release, for days to come.
INSERT INTO governance.drawn (release_key, measure, cells, counts)
VALUES (%(release_key)s, %(measure)s, %(cells)s, %(counts)s)

-- name: earlier_drawn
-- What was drawn under one plan, ε and domain, oldest day first.
SELECT release.day, drawn.measure, drawn.counts
FROM governance.drawn JOIN published.release USING (release_key)
WHERE release.plan_hash = %(plan_hash)s AND release.epsilon = %(epsilon)s AND drawn.cells = %(cells)s::bigint[]
  AND release.day >= %(first_day)s AND release.day < %(before)s
ORDER BY release.day, drawn.measure

-- name: forget_drawn
-- What was drawn for days that no day to come is smoothed with.
DELETE FROM governance.drawn USING published.release
WHERE release.release_key = drawn.release_key AND release.plan = %(plan)s AND release.day < %(before)s

-- name: publish_presence
-- The cells of a presence release.
COPY published.presence (release_key, cell, hour, vehicles) FROM STDIN

-- name: publish_district_energy
-- The districts of an energy release.
COPY published.district_energy (release_key, district_id, day, energy_kwh, households, ci95_kwh) FROM STDIN

-- name: district_outlines
-- The public geography that releases are laid over.
SELECT id, outline FROM sensing.district ORDER BY id

-- name: large_districts
-- Districts with at least so many homes in the public register.
SELECT id FROM sensing.district WHERE homes >= %(least_homes)s ORDER BY id

-- name: district_codes
-- What each district is called outside.
SELECT id, code FROM sensing.district

-- name: publish_figures
-- The numbers of a release that has no table of its own.
COPY published.figure (release_key, place, part, slot, measure, value, ci95) FROM STDIN

-- name: figures
-- Published numbers, withheld ones with NULL; of a day released twice by a plan, the newer release.
WITH shown AS (
    SELECT DISTINCT ON (plan, day) release_key, plan
    FROM published.release
    WHERE (%(plan)s::text IS NULL OR plan = %(plan)s) AND day BETWEEN %(first_day)s AND %(last_day)s
    ORDER BY plan, day, released_at DESC
)
SELECT figure.release_key, figure.place, figure.part, figure.slot, figure.measure, figure.value, figure.ci95
FROM published.figure AS figure JOIN shown USING (release_key)
WHERE %(slot)s::timestamptz IS NULL
   OR (figure.slot, shown.plan COLLATE "C", figure.place COLLATE "C", figure.part COLLATE "C", figure.measure COLLATE "C")
    > (%(slot)s::timestamptz, %(after_plan)s, %(after_place)s, %(after_part)s, %(after_measure)s)
ORDER BY figure.slot, shown.plan COLLATE "C", figure.place COLLATE "C", figure.part COLLATE "C", figure.measure COLLATE "C"
LIMIT %(limit)s

-- name: refusal
-- Why a release of a plan and day was refused, as the audit log has it.
SELECT body::jsonb ->> 'reason'
FROM governance.audit
WHERE action = 'release.denied'
  AND split_part(body::jsonb ->> 'release_key', '/', 1) = %(plan)s
  AND split_part(body::jsonb ->> 'release_key', '/', 3) = %(day)s::date::text
ORDER BY seq DESC
LIMIT 1
