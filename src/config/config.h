/* The configuration: one table of settings; flags > environment > .env in the working directory > defaults. */
#ifndef ORDERLY_CONFIG_CONFIG_H
#define ORDERLY_CONFIG_CONFIG_H

#include "base/buffer.h"
#include "base/status.h"

enum setting_type {
    SETTING_TEXT,     /* minimum, maximum: length in bytes */
    SETTING_INTEGER,  /* minimum, maximum: value */
    SETTING_BOOLEAN,  /* true, false, 1, 0, yes, no, on, off */
    SETTING_DURATION, /* "500ms", "10s", "7d" or ms; minimum, maximum: ms */
    SETTING_SIZE,     /* "64MiB", "1GB" or bytes; minimum, maximum: bytes */
    SETTING_CHOICE,   /* one of choices, separated by | */
    SETTING_LIST,     /* a JSON list of texts or a comma list; maximum: count */
    SETTING_PORTS,    /* a list of different port numbers, 0 for any free one; maximum: count */
};

/* One row for each setting; config/settings.c holds the table, in this order. */
enum setting_id {
    SETTING_KAFKA_BOOTSTRAP_SERVERS,  /* KAFKA_BOOTSTRAP_SERVERS */
    SETTING_CASSANDRA_CONTACT_POINTS, /* CASSANDRA_CONTACT_POINTS */
    SETTING_REDIS_HOST,               /* REDIS_HOST */
    SETTING_REDIS_PORT,               /* REDIS_PORT */
    SETTING_HOST,                     /* ORDERLY_HOST=localhost */
    SETTING_PORTS_HTTP,               /* ORDERLY_PORTS=8000,5000,3000 */
    SETTING_DATA_DIR,                 /* ORDERLY_DATA_DIR */
    SETTING_DATA_LIMIT,               /* ORDERLY_DATA_LIMIT=0 */
    SETTING_DATA_RESERVE,             /* ORDERLY_DATA_RESERVE=128MiB */
    SETTING_NAMESPACE,                /* ORDERLY_NAMESPACE: [a-z0-9_]{0,32} */
    SETTING_REPLICATION,              /* ORDERLY_REPLICATION=0: copies of topics and tables, for setup */
    SETTING_MIN_INSYNC,               /* ORDERLY_MIN_INSYNC=0: of them in sync for a write to Kafka */
    SETTING_CASSANDRA_LOCAL_DC,       /* ORDERLY_CASSANDRA_LOCAL_DC */
    SETTING_CASSANDRA_USER,           /* ORDERLY_CASSANDRA_USER, _PASSWORD */
    SETTING_CASSANDRA_PASSWORD,
    SETTING_CASSANDRA_TLS_CA_FILE, /* ORDERLY_CASSANDRA_TLS_CA_FILE, _CERT_FILE, _KEY_FILE */
    SETTING_CASSANDRA_TLS_CERT_FILE,
    SETTING_CASSANDRA_TLS_KEY_FILE,
    SETTING_REDIS_USER, /* ORDERLY_REDIS_USER, _PASSWORD */
    SETTING_REDIS_PASSWORD,
    SETTING_REDIS_TLS, /* ORDERLY_REDIS_TLS=false, _TLS_CA_FILE */
    SETTING_REDIS_TLS_CA_FILE,
    SETTING_LAB_REDIS,          /* ORDERLY_LAB_REDIS */
    SETTING_PARTITIONS,         /* ORDERLY_PARTITIONS=12, 1-128 */
    SETTING_CURRENCY,           /* ORDERLY_CURRENCY=EUR: three capital letters */
    SETTING_ALLOWED_ORIGINS,    /* ORDERLY_ALLOWED_ORIGINS=http://localhost:3000 */
    SETTING_HTTP_THREADS,       /* ORDERLY_HTTP_THREADS=0 */
    SETTING_CONNECTIONS_MAX,    /* ORDERLY_CONNECTIONS_MAX=4096 */
    SETTING_BODY_MAX,           /* ORDERLY_BODY_MAX=256KiB, up to 1 MiB */
    SETTING_RECEIVE_TIMEOUT,    /* ORDERLY_RECEIVE_TIMEOUT=10s */
    SETTING_IDLE_TIMEOUT,       /* ORDERLY_IDLE_TIMEOUT=60s */
    SETTING_ANSWER_TIMEOUT,     /* ORDERLY_ANSWER_TIMEOUT=10s: log and store in one request */
    SETTING_VERDICT_TIMEOUT,    /* ORDERLY_VERDICT_TIMEOUT=2s: then 202 */
    SETTING_PENDING_MAX,        /* ORDERLY_PENDING_MAX=32768: acknowledged, not yet seen orders */
    SETTING_CACHE_SIZE,         /* ORDERLY_CACHE_SIZE=16MiB */
    SETTING_CACHE_TTL,          /* ORDERLY_CACHE_TTL=60s */
    SETTING_BATCH_MAX,          /* ORDERLY_BATCH_MAX=512 */
    SETTING_COMMANDS_RETENTION, /* ORDERLY_COMMANDS_RETENTION=7d */
    SETTING_EVENTS_RETENTION,   /* ORDERLY_EVENTS_RETENTION=7d */
    SETTING_DRAIN_TIMEOUT,      /* ORDERLY_DRAIN_TIMEOUT=15s */
    SETTING_LOG_LEVEL,          /* ORDERLY_LOG_LEVEL=debug|info|warn|error */
    SETTING_LOG_FORMAT,         /* ORDERLY_LOG_FORMAT=auto|text|json */
    SETTING_LOG_REQUESTS,       /* ORDERLY_LOG_REQUESTS=false */
    SETTING_COUNT
};

struct setting {
    enum setting_id id;
    const char *name;
    enum setting_type type;
    int64_t minimum, maximum;
    const char *choices; /* CHOICE: separated by |. TEXT, LIST: a POSIX extended regular expression for each, or NULL */
    const char *default_value; /* as one would type it; "" for none */
    const char *help;          /* one line */
    bool secret;
};

/* The table, SETTING_COUNT rows. */
const struct setting *config_settings(void);

enum setting_source { SOURCE_DEFAULT, SOURCE_DOTENV, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct config;

/* Reads all sources. argv: --name=value or --name value for any setting, "ORDERLY_" left out and lower case with dashes
 * (--data-dir, --kafka-bootstrap-servers); what is no setting's flag is left for the command: *rest_out (from malloc,
 * borrowed texts, NULL-terminated). environment: like environ. dotenv_path: NULL for ".env"; an absent file is fine.
 * INVALID: error names each unknown ORDERLY_ name and bad value (the first few), and where it came from; also for Kafka
 * without Cassandra or the other way round. */
enum status config_load(int argc, char *const *argv, char *const *environment, const char *dotenv_path,
                        struct config **config_out, char ***rest_out, struct error *error);
void config_free(struct config *config);

int64_t config_integer(const struct config *config, enum setting_id id);  /* INTEGER, BOOLEAN, DURATION (ms), SIZE */
const char *config_text(const struct config *config, enum setting_id id); /* any type, normalised; "" if not set */
size_t config_list(const struct config *config, enum setting_id id,
                   const char *const **items_out); /* LIST, PORTS; NULL-terminated */
enum setting_source config_source(const struct config *config, enum setting_id id);

/* A property of librdkafka, from a setting of the family ORDERLY_KAFKA_*: ORDERLY_KAFKA_SASL_USERNAME is sasl.username.
 * Which there are, and which values they take, is the Kafka adapter's business. */
struct config_property {
    const char *setting; /* ORDERLY_KAFKA_SASL_USERNAME */
    const char *name;    /* sasl.username */
    const char *value;
};
#define CONFIG_PROPERTIES_MAX 64
size_t config_kafka_properties(const struct config *config, const struct config_property **properties_out);

/* True if Kafka and Cassandra are configured: the cluster; else the embedded engines. */
bool config_is_cluster(const struct config *config);

/* Writes `orderly config`: name, value (secrets as ***), source, help; as a table for people or as JSON. */
void config_write(const struct config *config, bool json, struct buffer *out);

#endif
