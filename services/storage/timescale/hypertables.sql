-- Makes the observation tables hypertables with weekly chunks. Run once, after the migrations that made the tables.
SELECT create_hypertable('sensing.traffic', 'observed_at', chunk_time_interval => interval '7 days',
    create_default_indexes => false);
SELECT create_hypertable('sensing.energy', 'observed_at', chunk_time_interval => interval '7 days',
    create_default_indexes => false);
SELECT create_hypertable('sensing.observation', 'observed_at', chunk_time_interval => interval '7 days',
    create_default_indexes => false);
