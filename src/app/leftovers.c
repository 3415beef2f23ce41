/* A cluster's start looks whether the data directory still holds embedded orders, which it does not show. */
#include "app/leftovers.h"

#include "app/engine_parts.h"
#include "app/waiting.h"

struct look {
    struct waiting waiting;
    struct order_store_scan scan;
    bool has_orders;
};

static void scanned(struct order_store_scan *scan, enum status status, const struct order *orders, size_t count,
                    const struct order_store_cursor *next, const char *error_text) {
    struct look *look = scan->data;
    look->has_orders = status == STATUS_OK && count > 0;
    waiting_finish(&look->waiting, status, error_text);
}

static bool has_orders(struct order_store *store) {
    struct look look = {.scan = {.limit = 1, .done = scanned, .data = &look}};
    waiting_init(&look.waiting);
    order_store_scan(store, &look.scan);
    waiting_result(&look.waiting, NULL);
    waiting_free(&look.waiting);
    return look.has_orders;
}

/* What cannot be opened is not reported: it is not what this start is about. */
void leftovers_warn(struct app *app) {
    if (!config_is_cluster(app->config) || !config_text(app->config, SETTING_DATA_DIR)[0]) return;
    struct engine engine = {0};
    enum status status = engine_embedded_open_log(app, ENGINE_EXISTING, &engine, NULL);
    if (status == STATUS_OK) status = engine_embedded_open_store(app, ENGINE_EXISTING, &engine, NULL);
    if (status == STATUS_OK && has_orders(engine.store))
        log_event(
            &app->log, LOG_WARN,
            "the data directory holds orders of the embedded engines, which a cluster does not show: to bring them "
            "over, stop orderly, run `orderly export --out FILE` without KAFKA_BOOTSTRAP_SERVERS and "
            "CASSANDRA_CONTACT_POINTS, then `orderly import --restore FILE` with them",
            LOG_S("data_dir", config_text(app->config, SETTING_DATA_DIR)));
    engine_close(&engine);
}
