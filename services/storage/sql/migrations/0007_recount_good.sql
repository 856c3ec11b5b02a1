-- `good` in the roll-ups now counts the rows that the means are made of: all but bad and missing ones. Which of them are suspect
-- depends on the order of their receipt, and a roll-up must not. Hours with suspect rows are computed anew by the worker.
INSERT INTO sensing.dirty_hour (kind, sensor_id, hour)
SELECT DISTINCT 'traffic', sensor_id, date_trunc('hour', observed_at, 'UTC') FROM sensing.traffic WHERE quality = 3
UNION ALL
SELECT DISTINCT 'energy', sensor_id, date_trunc('hour', observed_at, 'UTC') FROM sensing.energy WHERE quality = 3
UNION ALL
SELECT DISTINCT 'observation', sensor_id, date_trunc('hour', observed_at, 'UTC') FROM sensing.observation WHERE quality = 3;
