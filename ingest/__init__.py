"""From MQTT to stored readings: session, decoders, quality flags, writer and dead letters."""
