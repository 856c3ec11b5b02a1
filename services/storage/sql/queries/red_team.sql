-- What the attacks on our own releases found.

-- name: store
-- Keep the result of one run.
INSERT INTO governance.red_team (passed, result) VALUES (%(passed)s, %(result)s)

-- name: last
-- The newest result of those that the timetable asked for, or of those that it did not.
SELECT finished_at, passed, result FROM governance.red_team
WHERE coalesce((result ->> 'scheduled')::boolean, false) = %(scheduled)s ORDER BY id DESC LIMIT 1

-- name: tables
-- Every table with rows of its own, by schema and name; the catalogues of the server are not among them.
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%%'
ORDER BY n.nspname, c.relname

-- name: complain
-- Fail over a text that is no number; the server logs it.
SELECT %(text)s::text::integer

-- name: table_text
-- All rows of one table as text.
COPY {table} TO STDOUT

-- name: positions_since
-- Pseudonym and fine cell of the positions observed since a moment.
SELECT subject, cell FROM personal.position WHERE observed_at >= %(since)s

-- name: personal_letters
-- How many messages about people could not be read.
SELECT count(*) FROM personal.dead_letter
