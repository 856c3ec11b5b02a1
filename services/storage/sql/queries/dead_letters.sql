-- name: forget
-- Remove dead letters received before %(before)s.
DELETE FROM sensing.dead_letter WHERE received_at < %(before)s;

-- name: reasons
-- The commonest reasons since %(since)s, with an example topic each. Digits are folded so that like reasons group.
SELECT min(reason) AS reason, count(*) AS messages, min(topic) AS topic
FROM sensing.dead_letter
WHERE received_at >= %(since)s
GROUP BY regexp_replace(reason, '[0-9]+', '#', 'g')
ORDER BY messages DESC
LIMIT 5;

-- name: recent
-- Dead letters numbered below `before`, newest first, without their bytes.
SELECT id, received_at, topic, payload_bytes, reason FROM sensing.dead_letter
WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s;
