-- An ingest process that leaves its group for good takes its counters with it, or it would be missed for a day.
GRANT DELETE ON sensing.ingest_session TO arterial_ingest;
