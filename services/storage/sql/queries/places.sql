-- name: put_district
-- Write one district, or replace the one of the same code.
INSERT INTO sensing.district (code, name, outline, homes) VALUES (%s, %s, %s::jsonb, %s)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, outline = excluded.outline, homes = excluded.homes;

-- name: put_layer
-- Write one map layer, or replace it.
INSERT INTO sensing.layer (name, features) VALUES (%s, %s::jsonb)
ON CONFLICT (name) DO UPDATE SET features = excluded.features;
