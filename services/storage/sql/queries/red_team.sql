-- What the attacks on our own releases found.

-- name: store
-- Keep the result of one run.
INSERT INTO governance.red_team (passed, result) VALUES (%(passed)s, %(result)s)

-- name: last
-- The newest result.
SELECT finished_at, passed, result FROM governance.red_team ORDER BY id DESC LIMIT 1
