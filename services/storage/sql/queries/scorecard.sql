-- How forecasts did, of sensors, of totals and of peaks; sums are divided here, ratios nowhere averaged.

-- name: read
-- By kind, quantity, lead time, scope and what else was asked for; what totals and peaks do not tell is NULL.
WITH score AS NOT MATERIALIZED (
    SELECT 'sensor' AS what, sensor_id, NULL::smallint AS district_id, quantity, lead_minutes, day, state, quality, n,
        absolute_error, naive_absolute_error, naive_n, compared_error, scaled_error, scaled_n, pinball, observed_sum,
        inside_50, inside_80, inside_90
    FROM forecast.score
    UNION ALL
    SELECT what, sensor_id, district_id, quantity, lead_minutes, day, state, NULL, n,
        absolute_error, naive_absolute_error, naive_n, compared_error, NULL, NULL, pinball, observed_sum,
        inside_50, inside_80, inside_90
    FROM forecast.load_score
)
SELECT
    said.kind, score.quantity, score.lead_minutes, said.scope,
    CASE WHEN 'district' = ANY (%(by)s) THEN district.code END AS district,
    CASE WHEN 'state' = ANY (%(by)s) THEN score.state END AS state,
    CASE WHEN 'quality' = ANY (%(by)s) THEN score.quality END AS observed_quality,
    CASE WHEN 'day' = ANY (%(by)s) THEN score.day END AS utc_day,
    count(DISTINCT coalesce(score.sensor_id, -1 - score.district_id, 0)) AS sensors,
    sum(score.n) AS n,
    sum(score.absolute_error) / nullif(sum(score.n), 0) AS mae,
    sum(score.naive_absolute_error) / nullif(sum(score.naive_n), 0) AS naive_mae,
    1 - sum(score.compared_error) / nullif(sum(score.naive_absolute_error), 0) AS skill,
    sum(score.absolute_error) / nullif(sum(abs(score.observed_sum)), 0) AS wape,
    sum(score.scaled_error) / nullif(sum(score.scaled_n), 0) AS mase,
    sum(score.pinball) / nullif(sum(score.n) FILTER (WHERE score.pinball IS NOT NULL), 0) AS pinball,
    sum(score.inside_50)::double precision / nullif(sum(score.n) FILTER (WHERE score.inside_50 IS NOT NULL), 0)
        AS coverage_50,
    sum(score.inside_80)::double precision / nullif(sum(score.n), 0) AS coverage_80,
    sum(score.inside_90)::double precision / nullif(sum(score.n), 0) AS coverage_90
FROM score
LEFT JOIN sensing.sensor ON sensor.id = score.sensor_id
LEFT JOIN sensing.district ON district.id = coalesce(score.district_id, sensor.district_id)
CROSS JOIN LATERAL (SELECT
    coalesce(sensor.kind, 'energy'),
    CASE WHEN score.sensor_id IS NOT NULL THEN 'sensor' WHEN score.district_id IS NOT NULL THEN 'district' ELSE 'city' END
) AS said (kind, scope)
WHERE score.what = %(what)s
    AND (%(kind)s::text IS NULL OR said.kind = %(kind)s)
    AND (%(quantity)s::text IS NULL OR score.quantity = %(quantity)s)
    AND (%(sensors)s::text[] IS NULL OR sensor.code = ANY (%(sensors)s))
    AND (%(district)s::text IS NULL OR district.code = %(district)s)
    AND (%(since)s::date IS NULL OR score.day >= %(since)s)
    AND (%(until)s::date IS NULL OR score.day <= %(until)s)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 1, 2, 3, 4, 5 NULLS FIRST, 6, 7, 8
