-- name: open_budget
-- The budget of a domain's local day, made when the day is first charged.
INSERT INTO governance.budget (domain, day, cap_micro_epsilon)
VALUES (%(domain)s, %(day)s, %(cap)s)
ON CONFLICT (domain, day) DO NOTHING

-- name: find_charge
-- What a release key was charged, and under which plan.
SELECT release_key, domain, day, plan_hash, micro_epsilon, delta, noise, date_trunc('hour', charged_at) AS charged_at
FROM governance.charge
WHERE release_key = %(release_key)s

-- name: add_charge
-- One row of the ledger; nothing when the key is there already. Waits for another transaction that is adding the same key.
INSERT INTO governance.charge (release_key, domain, day, plan_hash, micro_epsilon, delta, noise)
VALUES (%(release_key)s, %(domain)s, %(day)s, %(plan_hash)s, %(micro_epsilon)s, %(delta)s, %(noise)s)
ON CONFLICT (release_key) DO NOTHING

-- name: spend
-- Takes from the budget what is asked, or nothing: the condition is checked under the row's lock.
UPDATE governance.budget
SET spent_micro_epsilon = spent_micro_epsilon + %(micro_epsilon)s
WHERE domain = %(domain)s AND day = %(day)s
  AND spent_micro_epsilon + %(micro_epsilon)s <= least(cap_micro_epsilon, %(cap)s)

-- name: budgets
-- Cap and spending of every charged day of a range, newest first.
SELECT domain, day, cap_micro_epsilon, spent_micro_epsilon
FROM governance.budget
WHERE day BETWEEN %(first_day)s AND %(last_day)s
ORDER BY day DESC, domain

-- name: charges
-- The ledger's rows of a range of days, newest first.
SELECT release_key, domain, day, plan_hash, micro_epsilon, delta, noise, date_trunc('hour', charged_at) AS charged_at
FROM governance.charge
WHERE day BETWEEN %(first_day)s AND %(last_day)s
ORDER BY day DESC, release_key

-- name: fingerprint
-- What tells this database from a copy of it, and from itself restored to an earlier moment by recovery.
SELECT system_identifier::text AS cluster, timeline_id AS timeline,
       (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database
FROM pg_control_system(), pg_control_checkpoint()

-- name: newest_incarnation
-- The database the ledger was kept in.
SELECT cluster, timeline, database FROM governance.incarnation ORDER BY id DESC LIMIT 1

-- name: kept_here_since
-- Since when the ledger is kept in that database.
SELECT max(noted_at) FROM governance.incarnation

-- name: add_incarnation
-- From now on the ledger is kept in this one.
INSERT INTO governance.incarnation (cluster, timeline, database) VALUES (%(cluster)s, %(timeline)s, %(database)s)

-- name: burnt_through
-- The newest day about which nothing more is published because of a restore.
SELECT max(through) FROM governance.burnt WHERE domain = %(domain)s

-- name: burnt_days
-- The same of every domain that has one.
SELECT domain, max(through) FROM governance.burnt GROUP BY domain ORDER BY domain

-- name: burn
-- Nothing more is published about this day and those before it.
INSERT INTO governance.burnt (domain, through) VALUES (%(domain)s, %(through)s) ON CONFLICT (domain, through) DO NOTHING

-- name: left_of
-- What is left of a day's budget.
SELECT greatest(0, least(cap_micro_epsilon, %(cap)s) - spent_micro_epsilon)
FROM governance.budget
WHERE domain = %(domain)s AND day = %(day)s
