/* The table of settings: the one place that knows their names, ranges, defaults and meanings. */
#include "config/config.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define NAME_SIZE_MAX 253 /* of a host in DNS */
#define PATH_SIZE_MAX 4000
#define PASSWORD_SIZE_MAX 1000
#define LIST_MAX 32
#define PORTS_MAX 8

#define HOST "[][A-Za-z0-9.:_-]+"

static const struct setting settings[SETTING_COUNT] = {
    {SETTING_KAFKA_BOOTSTRAP_SERVERS, "KAFKA_BOOTSTRAP_SERVERS", SETTING_LIST, 0, LIST_MAX, "([A-Z_]+://)?" HOST, "",
     "Kafka brokers, host:port; with CASSANDRA_CONTACT_POINTS it replaces the embedded engines"},
    {SETTING_CASSANDRA_CONTACT_POINTS, "CASSANDRA_CONTACT_POINTS", SETTING_LIST, 0, LIST_MAX, HOST, "",
     "Cassandra nodes to begin with, host or host:port; goes together with KAFKA_BOOTSTRAP_SERVERS"},
    {SETTING_REDIS_HOST, "REDIS_HOST", SETTING_TEXT, 0, NAME_SIZE_MAX, "(" HOST ")?", "",
     "Redis for the order cache; without it the cache is in memory"},
    {SETTING_REDIS_PORT, "REDIS_PORT", SETTING_INTEGER, 1, 65535, NULL, "6379", "port of that Redis"},
    {SETTING_HOST, "ORDERLY_HOST", SETTING_TEXT, 1, NAME_SIZE_MAX, HOST, "localhost",
     "address to listen on; localhost is 127.0.0.1 and ::1"},
    {SETTING_PORTS_HTTP, "ORDERLY_PORTS", SETTING_PORTS, 1, PORTS_MAX, NULL, "8000,5000,3000",
     "ports to listen on; only the first must be free; 0 is any free one"},
    {SETTING_DATA_DIR, "ORDERLY_DATA_DIR", SETTING_TEXT, 1, PATH_SIZE_MAX, NULL, "",
     "directory of the embedded engines; default: orderly in $XDG_DATA_HOME or ~/.local/share"},
    {SETTING_DATA_LIMIT, "ORDERLY_DATA_LIMIT", SETTING_SIZE, 0, 256 * GIB, NULL, "0",
     "the embedded data may grow to this; 0: as far as the disk allows"},
    {SETTING_DATA_RESERVE, "ORDERLY_DATA_RESERVE", SETTING_SIZE, MIB, 64 * GIB, NULL, "128MiB",
     "room kept for processing what was accepted; new orders are refused when only this is left"},
    {SETTING_NAMESPACE, "ORDERLY_NAMESPACE", SETTING_TEXT, 0, 32, "[a-z0-9_]*", "",
     "put before topics, group, keyspace and Redis keys, so that installations can share a cluster"},
    {SETTING_REPLICATION, "ORDERLY_REPLICATION", SETTING_INTEGER, 0, 9, NULL, "0",
     "copies of each topic and table that setup makes; 0: 3, or as many as there are nodes"},
    {SETTING_MIN_INSYNC, "ORDERLY_MIN_INSYNC", SETTING_INTEGER, 0, 9, NULL, "0",
     "copies in sync that Kafka needs for a write (min.insync.replicas); 0: 2 of 3, else 1"},
    {SETTING_CASSANDRA_LOCAL_DC, "ORDERLY_CASSANDRA_LOCAL_DC", SETTING_TEXT, 0, NAME_SIZE_MAX, NULL, "",
     "Cassandra's data centre to talk to; needed if there are several"},
    {SETTING_CASSANDRA_USER, "ORDERLY_CASSANDRA_USER", SETTING_TEXT, 0, NAME_SIZE_MAX, NULL, "",
     "role to log in to Cassandra with"},
    {SETTING_CASSANDRA_PASSWORD, "ORDERLY_CASSANDRA_PASSWORD", SETTING_TEXT, 0, PASSWORD_SIZE_MAX, NULL, "",
     "its password", .secret = true},
    {SETTING_CASSANDRA_TLS_CA_FILE, "ORDERLY_CASSANDRA_TLS_CA_FILE", SETTING_TEXT, 0, PATH_SIZE_MAX, NULL, "",
     "PEM file of the authority that signed the nodes' certificates; set: TLS"},
    {SETTING_CASSANDRA_TLS_CERT_FILE, "ORDERLY_CASSANDRA_TLS_CERT_FILE", SETTING_TEXT, 0, PATH_SIZE_MAX, NULL, "",
     "PEM file of our own certificate, if the nodes ask for one"},
    {SETTING_CASSANDRA_TLS_KEY_FILE, "ORDERLY_CASSANDRA_TLS_KEY_FILE", SETTING_TEXT, 0, PATH_SIZE_MAX, NULL, "",
     "PEM file of its key"},
    {SETTING_REDIS_USER, "ORDERLY_REDIS_USER", SETTING_TEXT, 0, NAME_SIZE_MAX, NULL, "",
     "ACL user of Redis; none: default"},
    {SETTING_REDIS_PASSWORD, "ORDERLY_REDIS_PASSWORD", SETTING_TEXT, 0, PASSWORD_SIZE_MAX, NULL, "", "its password",
     .secret = true},
    {SETTING_REDIS_TLS, "ORDERLY_REDIS_TLS", SETTING_BOOLEAN, 0, 0, NULL, "false",
     "TLS to Redis, where orderly was built with a hiredis that has it"},
    {SETTING_REDIS_TLS_CA_FILE, "ORDERLY_REDIS_TLS_CA_FILE", SETTING_TEXT, 0, PATH_SIZE_MAX, NULL, "",
     "PEM file of the authority that signed Redis's certificate; none: the system's"},
    {SETTING_LAB_REDIS, "ORDERLY_LAB_REDIS", SETTING_TEXT, 0, NAME_SIZE_MAX + 6, "(" HOST ")?", "",
     "Redis of the hot-key lab, host:port; default: REDIS_HOST, else a private one"},
    {SETTING_PARTITIONS, "ORDERLY_PARTITIONS", SETTING_INTEGER, 1, 128, NULL, "12",
     "partitions of the log; recorded at setup, fixed from then on"},
    {SETTING_CURRENCY, "ORDERLY_CURRENCY", SETTING_TEXT, 3, 3, "[A-Z]{3}", "EUR",
     "currency of orders that name none (ISO 4217)"},
    {SETTING_ALLOWED_ORIGINS, "ORDERLY_ALLOWED_ORIGINS", SETTING_LIST, 0, LIST_MAX, "https?://[^/ ]+",
     "http://localhost:3000", "web pages that may use the API beside our own (CORS)"},
    {SETTING_HTTP_THREADS, "ORDERLY_HTTP_THREADS", SETTING_INTEGER, 0, 64, NULL, "0",
     "threads that serve HTTP; 0: one for each core, at most 4"},
    {SETTING_CONNECTIONS_MAX, "ORDERLY_CONNECTIONS_MAX", SETTING_INTEGER, 1, 65536, NULL, "4096",
     "open HTTP connections; further ones get 503"},
    {SETTING_BODY_MAX, "ORDERLY_BODY_MAX", SETTING_SIZE, KIB, MIB, NULL, "256KiB",
     "largest request body; above it 413"},
    {SETTING_RECEIVE_TIMEOUT, "ORDERLY_RECEIVE_TIMEOUT", SETTING_DURATION, 100, 10 * MINUTE, NULL, "10s",
     "time a client has to send one request"},
    {SETTING_IDLE_TIMEOUT, "ORDERLY_IDLE_TIMEOUT", SETTING_DURATION, 100, HOUR, NULL, "60s",
     "time a connection may stay open between requests"},
    {SETTING_ANSWER_TIMEOUT, "ORDERLY_ANSWER_TIMEOUT", SETTING_DURATION, 100, 5 * MINUTE, NULL, "10s",
     "time for log and store within one request; then 503"},
    {SETTING_VERDICT_TIMEOUT, "ORDERLY_VERDICT_TIMEOUT", SETTING_DURATION, 10, MINUTE, NULL, "2s",
     "time to wait for the consumer's verdict; then 202"},
    {SETTING_PENDING_MAX, "ORDERLY_PENDING_MAX", SETTING_INTEGER, 1, 1000000, NULL, "32768",
     "orders accepted and not yet processed; at this number new ones get 503. The reserve must hold 4 KiB for each"},
    {SETTING_CACHE_SIZE, "ORDERLY_CACHE_SIZE", SETTING_SIZE, MIB, 64 * GIB, NULL, "16MiB",
     "memory of each process's own order cache"},
    {SETTING_CACHE_TTL, "ORDERLY_CACHE_TTL", SETTING_DURATION, 100, HOUR, NULL, "60s",
     "life of an entry in the shared cache: the bound on how stale a read may be"},
    {SETTING_BATCH_MAX, "ORDERLY_BATCH_MAX", SETTING_INTEGER, 1, 4096, NULL, "512",
     "commands of one partition processed together"},
    {SETTING_COMMANDS_RETENTION, "ORDERLY_COMMANDS_RETENTION", SETTING_DURATION, SECOND, 3650 * DAY, NULL, "7d",
     "processed commands stay in the log this long; on Cassandra less than gc_grace"},
    {SETTING_EVENTS_RETENTION, "ORDERLY_EVENTS_RETENTION", SETTING_DURATION, SECOND, 3650 * DAY, NULL, "7d",
     "order events and invoices stay in the log this long"},
    {SETTING_DRAIN_TIMEOUT, "ORDERLY_DRAIN_TIMEOUT", SETTING_DURATION, 100, 10 * MINUTE, NULL, "15s",
     "time to finish what is in flight after SIGTERM"},
    {SETTING_LOG_LEVEL, "ORDERLY_LOG_LEVEL", SETTING_CHOICE, 0, 0, "debug|info|warn|error", "info",
     "least level of the log lines on stderr"},
    {SETTING_LOG_FORMAT, "ORDERLY_LOG_FORMAT", SETTING_CHOICE, 0, 0, "auto|text|json", "auto",
     "auto: text on a terminal, JSON otherwise"},
    {SETTING_LOG_REQUESTS, "ORDERLY_LOG_REQUESTS", SETTING_BOOLEAN, 0, 0, NULL, "false", "a log line for each request"},
};

const struct setting *config_settings(void) {
    return settings;
}
