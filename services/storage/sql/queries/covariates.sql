-- What is known from elsewhere about times to come, by variable and district.

-- name: districts
-- The number of each district by its code.
SELECT code, id::integer FROM sensing.district

-- name: differing
-- How many of these values are stored with the same times and another value.
SELECT count(*)
FROM unnest(%(valid)s::bigint[], %(issued)s::bigint[], %(values)s::double precision[]) AS given (valid, issued, value)
JOIN forecast.covariate AS known ON known.variable = %(variable)s AND known.district_id IS NOT DISTINCT FROM %(district)s::smallint
    AND known.valid_at = timestamptz 'epoch' + given.valid * interval '1 microsecond'
    AND known.issued_at = timestamptz 'epoch' + given.issued * interval '1 microsecond'
WHERE known.value <> given.value

-- name: add
-- Add values of one variable in one district; those that are there stay.
INSERT INTO forecast.covariate (variable, district_id, valid_at, issued_at, value)
SELECT %(variable)s, %(district)s, timestamptz 'epoch' + valid * interval '1 microsecond',
    timestamptz 'epoch' + issued * interval '1 microsecond', value
FROM unnest(%(valid)s::bigint[], %(issued)s::bigint[], %(values)s::double precision[]) AS given (valid, issued, value)
ON CONFLICT DO NOTHING

-- name: variables
-- Which variables there are.
SELECT DISTINCT variable FROM forecast.covariate ORDER BY 1

-- name: known
-- All values of times in [%(since)s, %(until)s) that had been received by a time, or by now.
SELECT variable, district_id::integer, array_send(array_agg(valid_at)), array_send(array_agg(issued_at)), array_send(array_agg(value))
FROM forecast.covariate
WHERE valid_at >= %(since)s AND valid_at < %(until)s
    AND (%(received_by)s::timestamptz IS NULL OR received_at <= %(received_by)s)
GROUP BY variable, district_id
ORDER BY variable, district_id NULLS FIRST

-- name: summary
-- What is stored of each variable in each district.
SELECT variable, district.code AS district, count(*) FILTER (WHERE issued_at >= valid_at) AS observations,
    count(*) FILTER (WHERE issued_at < valid_at) AS forecasts, min(valid_at) AS since, max(valid_at) AS until,
    max(issued_at) AS newest_issue
FROM forecast.covariate LEFT JOIN sensing.district ON district.id = covariate.district_id
GROUP BY variable, district.code
ORDER BY variable, district.code NULLS FIRST

-- name: forget
-- Remove values of times before %(before)s.
DELETE FROM forecast.covariate WHERE valid_at < %(before)s
