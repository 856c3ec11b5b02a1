"""Measurements that anyone can repeat: speed beside peers, and what survives a storm of faults."""
