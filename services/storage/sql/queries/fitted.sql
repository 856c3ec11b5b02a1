-- What models have learnt, one row per shard, kind, quantity and step.

-- name: of_shard
-- What has been learnt for a shard, without the content.
SELECT shard, kind, quantity, step_seconds, trained_at, trained_to, config_hash, digest
FROM forecast.fitted WHERE shard = %(shard)s
ORDER BY kind, quantity, step_seconds

-- name: content
-- What has been learnt, if it is still that.
SELECT content FROM forecast.fitted
WHERE shard = %(shard)s AND kind = %(kind)s AND quantity = %(quantity)s AND step_seconds = %(step_seconds)s
    AND digest = %(digest)s

-- name: remove
-- Forget what has been learnt of a kind in a shard.
DELETE FROM forecast.fitted WHERE shard = %(shard)s AND kind = %(kind)s

-- name: put
-- Keep what has been learnt.
INSERT INTO forecast.fitted
    (shard, kind, quantity, step_seconds, trained_at, trained_to, config_hash, digest, content)
VALUES
    (%(shard)s, %(kind)s, %(quantity)s, %(step_seconds)s, %(trained_at)s, %(trained_to)s, %(config_hash)s, %(digest)s,
     %(content)s)
