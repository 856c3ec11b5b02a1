-- Compresses chunks by sensor after 30 days. Run once, after hypertables.sql, where the licence of the extension has compression.
ALTER TABLE sensing.traffic SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'sensor_id', timescaledb.compress_orderby = 'observed_at');
ALTER TABLE sensing.energy SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'sensor_id', timescaledb.compress_orderby = 'observed_at');
ALTER TABLE sensing.observation SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'sensor_id, quantity', timescaledb.compress_orderby = 'observed_at');

SELECT add_compression_policy('sensing.traffic', interval '30 days');
SELECT add_compression_policy('sensing.energy', interval '30 days');
SELECT add_compression_policy('sensing.observation', interval '30 days');
