/* The engines of a cluster: Apache Kafka and Apache Cassandra. */
#include "app/engine_parts.h"

#include "event_log/kafka.h"
#ifdef ORDERLY_CASSANDRA
#include "order_store/cassandra.h"
#endif

enum status engine_cluster_open_log(struct app *app, enum engine_mode mode, struct engine *engine,
                                    struct error *error) {
    const struct config *config = app->config;
    const struct config_property *given;
    struct kafka_property properties[CONFIG_PROPERTIES_MAX];
    size_t count = config_kafka_properties(config, &given);
    for (size_t i = 0; i < count; i++)
        properties[i] = (struct kafka_property){given[i].name, given[i].value, given[i].setting};
    const int64_t by_time_ms = config_integer(config, SETTING_EVENTS_RETENTION);
    const struct event_log_kafka_options options = {
        .bootstrap_servers = config_text(config, SETTING_KAFKA_BOOTSTRAP_SERVERS),
        .namespace_prefix = config_text(config, SETTING_NAMESPACE),
        .properties = properties,
        .property_count = count,
        .partition_count = (int32_t)config_integer(config, SETTING_PARTITIONS),
        .replication = (int)config_integer(config, SETTING_REPLICATION),
        .min_insync_replicas = (int)config_integer(config, SETTING_MIN_INSYNC),
        .retention_ms = {[TOPIC_EVENTS] = by_time_ms, [TOPIC_INVOICES] = by_time_ms, [TOPIC_DLQ] = 4 * by_time_ms},
        .clock = app->clock,
        .logger = &app->log,
        .metrics = app->metrics,
    };
    enum status status = event_log_kafka_open(&options, &engine->log, error);
    if (mode != ENGINE_SETUP) return status;
    if (status == STATUS_NOT_FOUND) status = STATUS_OK;
    return status == STATUS_OK ? event_log_setup(engine->log, error) : status;
}

#ifdef ORDERLY_CASSANDRA
enum status engine_cluster_open_store(struct app *app, enum engine_mode mode, struct engine *engine,
                                      struct error *error) {
    const struct config *config = app->config;
    const struct order_store_cassandra_options options = {
        .contact_points = config_text(config, SETTING_CASSANDRA_CONTACT_POINTS),
        .prefix = config_text(config, SETTING_NAMESPACE),
        .local_dc = config_text(config, SETTING_CASSANDRA_LOCAL_DC),
        .user = config_text(config, SETTING_CASSANDRA_USER),
        .password = config_text(config, SETTING_CASSANDRA_PASSWORD),
        .tls_ca_file = config_text(config, SETTING_CASSANDRA_TLS_CA_FILE),
        .tls_cert_file = config_text(config, SETTING_CASSANDRA_TLS_CERT_FILE),
        .tls_key_file = config_text(config, SETTING_CASSANDRA_TLS_KEY_FILE),
        .replication = (int)config_integer(config, SETTING_REPLICATION),
        .commands_retention_ms = config_integer(config, SETTING_COMMANDS_RETENTION),
        .clock = app->clock,
        .logger = &app->log,
        .metrics = app->metrics,
    };
    enum status status = order_store_cassandra_open(&options, &engine->store, error);
    if (mode != ENGINE_SETUP) return status;
    if (status == STATUS_NOT_FOUND) status = STATUS_OK;
    return status == STATUS_OK ? order_store_setup(engine->store, error) : status;
}
#else
enum status engine_cluster_open_store(struct app *app, enum engine_mode mode, struct engine *engine,
                                      struct error *error) {
    return error_set(
        error, STATUS_UNSUPPORTED,
        "CASSANDRA_CONTACT_POINTS is set, but this orderly was built without Cassandra: build it again with "
        "that variable set (`make build`), or unset it and KAFKA_BOOTSTRAP_SERVERS to run on the embedded "
        "engines");
}
#endif
