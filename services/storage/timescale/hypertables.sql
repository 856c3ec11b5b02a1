-- Makes the observation tables hypertables with weekly chunks, compressed by sensor after 30 days. Safe to repeat.
SELECT create_hypertable('sensing.traffic', 'observed_at', chunk_time_interval => interval '7 days',
    create_default_indexes => false, if_not_exists => true);
SELECT create_hypertable('sensing.energy', 'observed_at', chunk_time_interval => interval '7 days',
    create_default_indexes => false, if_not_exists => true);
SELECT create_hypertable('sensing.observation', 'observed_at', chunk_time_interval => interval '7 days',
    create_default_indexes => false, if_not_exists => true);

ALTER TABLE sensing.traffic SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'sensor_id', timescaledb.compress_orderby = 'observed_at');
ALTER TABLE sensing.energy SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'sensor_id', timescaledb.compress_orderby = 'observed_at');
ALTER TABLE sensing.observation SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'sensor_id, quantity', timescaledb.compress_orderby = 'observed_at');

SELECT add_compression_policy('sensing.traffic', interval '30 days', if_not_exists => true);
SELECT add_compression_policy('sensing.energy', interval '30 days', if_not_exists => true);
SELECT add_compression_policy('sensing.observation', interval '30 days', if_not_exists => true);
