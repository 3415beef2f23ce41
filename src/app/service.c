/* Starts, runs and drains the parts of a service in the right order. */
#include "app/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "app/engine.h"
#include "app/leftovers.h"
#include "app/service_lab.h"
#include "feed/feed.h"
#include "pipeline/pipeline.h"

#define SERVICE_PORTS_MAX 16
#define WAIT_MIN_MS 500 /* between two tries to start while a service of the cluster is away */
#define WAIT_MAX_MS 5000

struct service {
    struct app *app;
    unsigned parts;
    bool replay;
    struct engine engine;
    struct feed *feed;
    struct pipeline *pipeline;
    struct lab *lab; /* NULL: it could not be opened */
    struct api *api;
    struct http_server *server;
    int exit_code;
};

/* Signals are blocked in every thread and taken by the main one, so no handler ever runs in the middle of anything. */
static sigset_t block_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

/* The shared cache, else the one that an API in this process reads; a consumer alone has nobody to put it for. */
static struct order_cache *pipeline_cache(const struct service *service) {
    if (service->engine.shared_cache) return service->engine.shared_cache;
    return service->parts & SERVICE_API ? service->engine.own_cache : NULL;
}

static enum status start_pipeline(struct service *service, struct error *error) {
    const struct config *config = service->app->config;
    const struct pipeline_options options = {
        .log = service->engine.log,
        .store = service->engine.store,
        .cache = pipeline_cache(service),
        .clock = service->app->clock,
        .random = service->app->random,
        .logger = &service->app->log,
        .metrics = service->app->metrics,
        .batch_max = (size_t)config_integer(config, SETTING_BATCH_MAX),
        .cache_ttl_ms = service->engine.shared_cache ? config_integer(config, SETTING_CACHE_TTL) : 1000,
        .retention_ms = config_integer(config, SETTING_COMMANDS_RETENTION),
        .replay = service->replay,
    };
    return pipeline_open(&options, &service->pipeline, error);
}

static enum status start_api(struct service *service, struct error *error) {
    const struct config *config = service->app->config;
    const struct api_options options = {
        .log = service->engine.log,
        .store = service->engine.store,
        .own_cache = service->engine.own_cache,
        .shared_cache = service->engine.shared_cache,
        .feed = service->feed,
        .pipeline = service->pipeline,
        .lab = service->lab,
        .clock = service->app->clock,
        .random = service->app->random,
        .logger = &service->app->log,
        .metrics = service->app->metrics,
        .default_currency = config_text(config, SETTING_CURRENCY),
        .pending_max = (size_t)config_integer(config, SETTING_PENDING_MAX),
        .answer_timeout_ms = (int)config_integer(config, SETTING_ANSWER_TIMEOUT),
        .verdict_timeout_ms = (int)config_integer(config, SETTING_VERDICT_TIMEOUT),
        .cache_ttl_ms = config_integer(config, SETTING_CACHE_TTL),
    };
    service->api = api_new(&options);
    return service->api ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status start_http(struct service *service, struct error *error) {
    const struct config *config = service->app->config;
    const char *const *port_texts;
    size_t port_count = config_list(config, SETTING_PORTS_HTTP, &port_texts);
    uint16_t ports[SERVICE_PORTS_MAX];
    if (port_count > SERVICE_PORTS_MAX) port_count = SERVICE_PORTS_MAX;
    for (size_t i = 0; i < port_count; i++)
        ports[i] = (uint16_t)atoi(port_texts[i]);
    const char *const *origins;
    config_list(config, SETTING_ALLOWED_ORIGINS, &origins);
    struct http_server_options options = {
        .data = service->api,
        .host = config_text(config, SETTING_HOST),
        .ports = ports,
        .port_count = port_count,
        .threads = (unsigned)config_integer(config, SETTING_HTTP_THREADS),
        .connections_max = (unsigned)config_integer(config, SETTING_CONNECTIONS_MAX),
        .body_max = (size_t)config_integer(config, SETTING_BODY_MAX),
        .idle_timeout_ms = (int)config_integer(config, SETTING_IDLE_TIMEOUT),
        .receive_timeout_ms = (int)config_integer(config, SETTING_RECEIVE_TIMEOUT),
        .allowed_origins = origins,
        .clock = service->app->clock,
        .random = service->app->random,
        .logger = &service->app->log,
        .metrics = service->app->metrics,
        .log_requests = config_integer(config, SETTING_LOG_REQUESTS) != 0,
    };
    options.routes = api_routes(&options.route_count);
    enum status status = http_server_open(&options, &service->server, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < port_count; i++) {
        uint16_t port = http_server_port(service->server, i);
        if (port)
            log_event(&service->app->log, LOG_INFO, "listening", LOG_S("address", options.host), LOG_N("port", port));
    }
    return STATUS_OK;
}

static enum status start(struct service *service, struct error *error) {
    enum status status = engine_open(service->app, ENGINE_SERVE, &service->engine, error);
    if (status == STATUS_OK && service->parts & SERVICE_API) {
        const struct feed_options options = {.log = service->engine.log,
                                             .clock = service->app->clock,
                                             .logger = &service->app->log,
                                             .metrics = service->app->metrics};
        status = feed_open(&options, &service->feed, error);
    }
    if (status == STATUS_OK && service->parts & SERVICE_CONSUMER) status = start_pipeline(service, error);
    if (status == STATUS_OK && service->parts & SERVICE_API) service->lab = service_lab_open(service->app);
    if (status == STATUS_OK && service->parts & SERVICE_API) status = start_api(service, error);
    if (status == STATUS_OK && service->parts & SERVICE_API) status = start_http(service, error);
    return status;
}

/* Requests first (they may wait for the pipeline's verdict), then the pipeline, then everything behind them. A run of
 * the lab ends meanwhile. */
static bool stop(struct service *service, int timeout_ms) {
    bool drained = true;
    int64_t end_ns = clock_monotonic_ns(service->app->clock) + (int64_t)timeout_ms * 1000000;
    if (service->lab) lab_stop(service->lab);
    if (service->server && http_server_drain(service->server, timeout_ms / 2) != STATUS_OK) drained = false;
    if (service->pipeline && !service->replay) {
        int64_t left_ms = (end_ns - clock_monotonic_ns(service->app->clock)) / 1000000;
        if (pipeline_drain(service->pipeline, left_ms > 0 ? (int)left_ms : 0) != STATUS_OK) drained = false;
    }
    http_server_close(service->server);
    pipeline_close(service->pipeline);
    feed_close(service->feed);
    api_free(service->api);
    lab_close(service->lab);
    engine_close(&service->engine);
    return drained;
}

static void warn_of_exposure(const struct service *service) {
    const char *host = config_text(service->app->config, SETTING_HOST);
    if (!strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "::1")) return;
    log_event(&service->app->log, LOG_WARN,
              "listening beyond this machine, and there are no accounts yet: everyone who reaches it may read and make "
              "orders",
              LOG_S("host", host));
}

/* A replay stops for good at a command that only a newer version reads. */
static bool replay_is_stuck(const struct service *service) {
    for (int32_t i = 0; i < service->engine.log->partition_count; i++) {
        struct pipeline_partition_state state;
        pipeline_state(service->pipeline, i, &state);
        if (state.needs_schema) return true;
    }
    return false;
}

static const char *signal_text(int number) {
    return number == SIGTERM ? "SIGTERM" : "SIGINT";
}

/* Waits for a signal or, in a replay, for its end. */
static const char *wait_for_end(struct service *service, const sigset_t *signals) {
    for (;;) {
        const struct timespec tick = {0, 100 * 1000000};
        int number = sigtimedwait(signals, NULL, service->replay ? &tick : &(struct timespec){3600, 0});
        if (number > 0) return signal_text(number);
        if (service->replay && pipeline_replay_is_done(service->pipeline)) return "end of the replay";
        if (service->replay && replay_is_stuck(service)) {
            service->exit_code = EXIT_FAILED;
            return "a command of a newer schema: replay with the version that knows it";
        }
    }
}

/* Starts; while a service of the cluster is away, waits for it and tries again. CLOSED: a signal came meanwhile. */
static enum status start_patiently(struct service *service, const sigset_t *signals, struct error *error) {
    const struct log *log = &service->app->log;
    for (int wait_ms = WAIT_MIN_MS;; wait_ms = wait_ms * 2 < WAIT_MAX_MS ? wait_ms * 2 : WAIT_MAX_MS) {
        enum status status = start(service, error);
        if (status != STATUS_UNAVAILABLE || !config_is_cluster(service->app->config)) return status;
        stop(service, 0);
        *service = (struct service){.app = service->app, .parts = service->parts, .replay = service->replay};
        log_event(log, LOG_WARN, "waiting for a service that does not answer yet", LOG_S("error", error->text),
                  LOG_N("again_ms", wait_ms));
        int number = sigtimedwait(signals, NULL, &(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000L});
        if (number > 0) return error_set(error, STATUS_CLOSED, "%s while waiting", signal_text(number));
        if (!app_renew_metrics(service->app)) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
}

int service_run(struct app *app, unsigned parts, bool replay) {
    sigset_t signals = block_signals();
    struct service service = {.app = app, .parts = parts, .replay = replay};
    struct error error = {""};
    int64_t started_ns = clock_monotonic_ns(app->clock);
    leftovers_warn(app);
    enum status status = start_patiently(&service, &signals, &error);
    if (status == STATUS_CLOSED) {
        log_event(&app->log, LOG_INFO, "stopped before it had started", LOG_S("why", error.text));
        return EXIT_OK;
    }
    if (status != STATUS_OK) {
        log_event(&app->log, LOG_ERROR, "cannot start", LOG_S("error", error.text),
                  LOG_S("status", status_name(status)));
        stop(&service, 0);
        return EXIT_FAILED;
    }
    if (parts & SERVICE_API) warn_of_exposure(&service);
    log_event(&app->log, LOG_INFO, "ready", LOG_S("log", service.engine.log->ops->name),
              LOG_S("store", service.engine.store->ops->name),
              LOG_S("data_dir", config_text(app->config, SETTING_DATA_DIR)),
              LOG_N("start_ms", (clock_monotonic_ns(app->clock) - started_ns) / 1000000));
    const char *why = wait_for_end(&service, &signals);
    log_event(&app->log, LOG_INFO, "stopping: finishing what is under way", LOG_S("why", why));
    bool drained = stop(&service, (int)config_integer(app->config, SETTING_DRAIN_TIMEOUT));
    if (!drained) log_event(&app->log, LOG_WARN, "the drain timeout was over before all was finished; nothing is lost");
    log_event(&app->log, LOG_INFO, "stopped");
    return service.exit_code;
}
