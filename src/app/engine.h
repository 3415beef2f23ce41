/* The engines behind the ports, chosen by the configuration: the only place that names an adapter. */
#ifndef ORDERLY_APP_ENGINE_H
#define ORDERLY_APP_ENGINE_H

#include "app/app.h"
#include "event_log/event_log.h"
#include "lmdb/lmdb_env.h"
#include "order_cache/order_cache.h"
#include "order_store/order_store.h"

struct engine {
    struct lmdb_env *env; /* embedded; NULL otherwise */
    struct event_log *log;
    struct order_store *store;
    struct order_cache *own_cache;    /* this process's memory */
    struct order_cache *shared_cache; /* NULL: none */
};

enum engine_mode {
    ENGINE_SETUP,    /* creates what is missing: serve, api, consumer, setup, import */
    ENGINE_EXISTING, /* NOT_FOUND if it has not been set up: check, export */
};

/* Opens the engines that the configuration names. On failure nothing is left open and error says what and where. */
enum status engine_open(struct app *app, enum engine_mode mode, struct engine *engine_out, struct error *error);

/* Closes what is open; a zeroed engine is fine. */
void engine_close(struct engine *engine);

#endif
