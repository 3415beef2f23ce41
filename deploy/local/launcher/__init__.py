"""Real Kafka, Cassandra and Redis on this machine without containers; ../README.md says how to use it."""
