-- name: traffic_raw
-- Traffic readings of [start, end) as they were received; a page starts beyond (at, id) in reading order.
SELECT
    o.sensor_id, s.lon, s.lat, s.code AS sensor, s.kind, o.observed_at, o.received_at,
    o.flow_vph, o.speed_kmh, o.occupancy, o.quality
FROM sensing.traffic AS o JOIN sensing.sensor AS s ON s.id = o.sensor_id
WHERE o.observed_at >= %(start)s AND o.observed_at < %(end)s
  AND (o.observed_at, o.sensor_id) {beyond} (%(at)s, %(id)s)
  AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
ORDER BY o.observed_at {order}, o.sensor_id {order}
LIMIT %(limit)s

-- name: traffic_rolled
-- Traffic roll-ups whose bucket begins in [start, end); a page starts beyond (at, id) in reading order.
SELECT
    o.sensor_id, s.lon, s.lat, s.code AS sensor, s.kind, o.bucket AS observed_at,
    o.flow_vph, o.speed_kmh, o.occupancy, o.rows, o.good
FROM {source} AS o JOIN sensing.sensor AS s ON s.id = o.sensor_id
WHERE o.bucket >= %(start)s AND o.bucket < %(end)s
  AND (o.bucket, o.sensor_id) {beyond} (%(at)s, %(id)s)
  AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
ORDER BY o.bucket {order}, o.sensor_id {order}
LIMIT %(limit)s

-- name: energy_raw
-- Energy readings of [start, end) as they were received; a page starts beyond (at, id) in reading order.
SELECT
    o.sensor_id, s.lon, s.lat, s.code AS sensor, s.kind, o.observed_at, o.received_at,
    o.power_kw, o.energy_kwh, o.quality
FROM sensing.energy AS o JOIN sensing.sensor AS s ON s.id = o.sensor_id
WHERE o.observed_at >= %(start)s AND o.observed_at < %(end)s
  AND (o.observed_at, o.sensor_id) {beyond} (%(at)s, %(id)s)
  AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
ORDER BY o.observed_at {order}, o.sensor_id {order}
LIMIT %(limit)s

-- name: energy_rolled
-- Energy roll-ups whose bucket begins in [start, end); a page starts beyond (at, id) in reading order.
SELECT
    o.sensor_id, s.lon, s.lat, s.code AS sensor, s.kind, o.bucket AS observed_at,
    o.power_kw, o.peak_kw, o.energy_kwh, o.rows, o.good
FROM {source} AS o JOIN sensing.sensor AS s ON s.id = o.sensor_id
WHERE o.bucket >= %(start)s AND o.bucket < %(end)s
  AND (o.bucket, o.sensor_id) {beyond} (%(at)s, %(id)s)
  AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
ORDER BY o.bucket {order}, o.sensor_id {order}
LIMIT %(limit)s

-- name: environment_raw
-- Single-quantity readings of [start, end); a page starts beyond (at, id, quantity) in reading order.
SELECT
    o.sensor_id, s.lon, s.lat, s.code AS sensor, s.kind, o.observed_at, o.received_at,
    o.quantity, o.value, o.quality
FROM sensing.observation AS o JOIN sensing.sensor AS s ON s.id = o.sensor_id
WHERE o.observed_at >= %(start)s AND o.observed_at < %(end)s
  AND (o.observed_at, o.sensor_id, o.quantity) {beyond} (%(at)s, %(id)s, %(quantity)s)
  AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
ORDER BY o.observed_at {order}, o.sensor_id {order}, o.quantity {order}
LIMIT %(limit)s

-- name: environment_rolled
-- Single-quantity roll-ups whose bucket begins in [start, end); a page starts beyond (at, id, quantity) in reading order.
SELECT
    o.sensor_id, s.lon, s.lat, s.code AS sensor, s.kind, o.bucket AS observed_at,
    o.quantity, o.value, o.lowest, o.highest, o.rows, o.good
FROM {source} AS o JOIN sensing.sensor AS s ON s.id = o.sensor_id
WHERE o.bucket >= %(start)s AND o.bucket < %(end)s
  AND (o.bucket, o.sensor_id, o.quantity) {beyond} (%(at)s, %(id)s, %(quantity)s)
  AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
ORDER BY o.bucket {order}, o.sensor_id {order}, o.quantity {order}
LIMIT %(limit)s

-- name: count
-- How many rows of one table lie in [start, end), counted no further than `at_most`.
SELECT count(*) FROM (
    SELECT FROM {source} AS o
    WHERE o.{time} >= %(start)s AND o.{time} < %(end)s
      AND (%(sensors)s::integer[] IS NULL OR o.sensor_id = ANY(%(sensors)s))
    LIMIT %(at_most)s
) AS counted

-- name: district_load
-- Power of the feeders of each district by roll-up in [start, end), beginning after (at, code), oldest first.
SELECT d.code AS district, d.name, o.bucket AS observed_at, round(sum(o.power_kw::numeric), 3)::double precision AS power_kw,
    count(o.power_kw) AS feeders
FROM {source} AS o
JOIN sensing.sensor AS s ON s.id = o.sensor_id
JOIN sensing.district AS d ON d.id = s.district_id
WHERE o.bucket >= %(start)s AND o.bucket < %(end)s
  AND (o.bucket, d.code) > (%(at)s, %(code)s)
GROUP BY d.code, d.name, o.bucket
ORDER BY o.bucket, d.code
LIMIT %(limit)s
