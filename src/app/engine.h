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
    ENGINE_SETUP,    /* creates what is missing */
    ENGINE_SERVE,    /* embedded: creates what is missing; cluster: NOT_FOUND if it has not been set up */
    ENGINE_EXISTING, /* NOT_FOUND if it has not been set up: check, export */
};

/* Opens the engines that the configuration names. On failure nothing is left open and error says what and where.
 * UNAVAILABLE: a service of the cluster does not answer; it may yet come up. */
enum status engine_open(struct app *app, enum engine_mode mode, struct engine *engine_out, struct error *error);

/* The same part by part, into a zeroed engine, for `orderly check`: what is open is closed with engine_close, also
 * after a failure. Embedded: the log before the store. */
enum status engine_open_log(struct app *app, enum engine_mode mode, struct engine *engine, struct error *error);
enum status engine_open_store(struct app *app, enum engine_mode mode, struct engine *engine, struct error *error);
enum status engine_open_caches(struct app *app, struct engine *engine, struct error *error);

/* Closes what is open; a zeroed engine is fine. */
void engine_close(struct engine *engine);

#endif
