-- name: append
-- One row at the end of the chain; its number.
SELECT governance.append_audit(%(action)s, %(actor)s, %(facts)s)

-- name: append_if_new
-- The same unless the newest row of this action and actor says just that; its number or NULL.
SELECT governance.append_audit_if_new(%(action)s, %(actor)s, %(facts)s)

-- name: may_write
-- Lets the rest of the transaction write, on connections that only read by default.
SET TRANSACTION READ WRITE

-- name: entries
-- All rows in the order of their numbers.
SELECT seq, at, role, actor, action, body, prev, hash FROM governance.audit ORDER BY seq

-- name: newest
-- The newest rows, newest first; of one action and all below it, or of all.
SELECT seq, at, role, actor, action, body, prev, hash
FROM governance.audit
WHERE %(action)s::text IS NULL OR action = %(action)s OR action LIKE %(action)s || '.%%'
ORDER BY seq DESC
LIMIT %(most)s

-- name: hash_of
-- The hash of one row.
SELECT hash FROM governance.audit WHERE seq = %(seq)s

-- name: hashes
-- The hashes of the first rows, in order.
SELECT hash FROM governance.audit WHERE seq <= %(rows)s ORDER BY seq

-- name: size
-- The number of the newest row.
SELECT coalesce(max(seq), 0) FROM governance.audit
