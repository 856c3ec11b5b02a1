-- name: codes
-- What each station is called outside.
SELECT id, code FROM sensing.station WHERE purpose = %(purpose)s

-- name: names
-- What each station is called, by its code.
SELECT code, name FROM sensing.station WHERE purpose = %(purpose)s

-- name: put
-- Write one station, or replace the one of the same code.
INSERT INTO sensing.station (purpose, code, name, lon, lat, district_id)
VALUES (%(purpose)s, %(code)s, %(name)s, %(lon)s, %(lat)s, %(district_id)s)
ON CONFLICT (purpose, code) DO UPDATE SET name = excluded.name, lon = excluded.lon, lat = excluded.lat,
    district_id = excluded.district_id
