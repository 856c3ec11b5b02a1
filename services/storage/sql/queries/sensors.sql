-- name: list
-- Sensors in order of their code, each with its newest observation's time; a page starts after `after`.
SELECT
    s.code AS sensor, s.kind, s.name, s.lon, s.lat, s.unit, d.code AS district, s.road,
    s.free_flow_kmh, s.capacity_vph, s.limit_kw, s.step_seconds, s.described, s.online, s.status_at, s.registered_at,
    newest.observed_at AS latest_observed_at,
    extract(epoch FROM now() - newest.observed_at)::double precision AS age_seconds,
    greatest(3 * coalesce(s.step_seconds, 300), 900) AS silence_limit_seconds,
    newest.observed_at IS NULL
        OR extract(epoch FROM now() - newest.observed_at) > greatest(3 * coalesce(s.step_seconds, 300), 900) AS silent
FROM sensing.sensor AS s
LEFT JOIN sensing.district AS d ON d.id = s.district_id
LEFT JOIN LATERAL (
    (SELECT observed_at FROM sensing.traffic WHERE s.kind = 'traffic' AND sensor_id = s.id ORDER BY observed_at DESC LIMIT 1)
    UNION ALL
    (SELECT observed_at FROM sensing.energy WHERE s.kind = 'energy' AND sensor_id = s.id ORDER BY observed_at DESC LIMIT 1)
    UNION ALL
    (SELECT observed_at FROM sensing.observation WHERE s.kind = 'environment' AND sensor_id = s.id ORDER BY observed_at DESC LIMIT 1)
) AS newest ON true
WHERE s.code > %(after)s
  AND (%(kind)s::text IS NULL OR s.kind = %(kind)s)
  AND (%(district)s::text IS NULL OR d.code = %(district)s)
  AND (%(described)s::boolean IS NULL OR s.described = %(described)s)
  AND (%(code)s::text IS NULL OR s.code = %(code)s)
  AND (%(words)s::text IS NULL OR position(lower(%(words)s) IN lower(concat_ws(' ', s.code, s.name, s.road))) > 0)
ORDER BY s.code
LIMIT %(limit)s

-- name: resolve
-- Number and kind of the sensors of these codes; unknown codes are missing from the answer.
SELECT code, id, kind FROM sensing.sensor WHERE code = ANY(%s)

-- name: places
-- Every sensor's code and where it stands, of one kind or of all.
SELECT code, lon, lat FROM sensing.sensor WHERE %(kind)s::text IS NULL OR kind = %(kind)s

-- name: district_features
-- The districts as the text of one GeoJSON FeatureCollection.
SELECT jsonb_build_object('type', 'FeatureCollection', 'features', coalesce(jsonb_agg(
    jsonb_build_object(
        'type', 'Feature', 'id', code, 'geometry', outline,
        'properties', jsonb_build_object('district', code, 'name', name)
    ) ORDER BY code), '[]'::jsonb))::text
FROM sensing.district

-- name: layer_features
-- One layer of the map as the text of its GeoJSON FeatureCollection.
SELECT features::text FROM sensing.layer WHERE name = %s
