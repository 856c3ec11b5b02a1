"""Code concerned with InfluxDB: the copy that a server of its kind gets, and history that comes from one."""
