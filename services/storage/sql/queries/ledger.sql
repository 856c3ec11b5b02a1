-- name: open_budget
-- The budget of a domain's local day, made when the day is first charged.
INSERT INTO governance.budget (domain, day, cap_micro_epsilon)
VALUES (%(domain)s, %(day)s, %(cap)s)
ON CONFLICT (domain, day) DO NOTHING

-- name: find_charge
-- What a release key was charged, and under which plan.
SELECT release_key, domain, day, plan_hash, micro_epsilon, charged_at
FROM governance.charge
WHERE release_key = %(release_key)s

-- name: add_charge
-- One row of the ledger; nothing when the key is there already. Waits for another transaction that is adding the same key.
INSERT INTO governance.charge (release_key, domain, day, plan_hash, micro_epsilon)
VALUES (%(release_key)s, %(domain)s, %(day)s, %(plan_hash)s, %(micro_epsilon)s)
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
SELECT release_key, domain, day, plan_hash, micro_epsilon, charged_at
FROM governance.charge
WHERE day BETWEEN %(first_day)s AND %(last_day)s
ORDER BY day DESC, release_key
