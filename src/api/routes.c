/* The route table: every path this program answers, both dialects. openapi.yaml says the same, held by a test. */
#include "api/api_state.h"

static const struct http_route routes[] = {
    {"GET", "/orders", api_list_orders, HTTP_BODY_NONE, 0, "List orders, newest first"},
    {"POST", "/orders", api_post_orders, HTTP_BODY_JSON, 0, "Make an order"},
    {"GET", "/orders/{order_id}", api_get_order, HTTP_BODY_NONE, 0, "Read one order"},
    {"POST", "/api/orders", api_post_api_orders, HTTP_BODY_JSON_OPTIONAL, 0, "Make an order (second dialect)"},
    {"GET", "/api/orders/{order_id}", api_get_api_order, HTTP_BODY_NONE, 0, "Read an order's status (second dialect)"},
    {"POST", "/simulation/start", api_post_simulation_start, HTTP_BODY_JSON_OPTIONAL, 0,
     "Start a run of the hot-key lab"},
    {"POST", "/simulation/stop", api_post_simulation_stop, HTTP_BODY_NONE, 0, "Stop the run"},
    {"GET", "/simulation/status", api_get_simulation_status, HTTP_BODY_NONE, 0, "See what the lab is doing"},
    {"GET", "/simulation/events", api_get_simulation_events, HTTP_BODY_NONE, 0,
     "Follow a run live (server-sent events)"},
    {"GET", "/simulation/parameters", api_get_simulation_parameters, HTTP_BODY_NONE, 0,
     "List the parameters and profiles of a run"},
    {"GET", "/simulation/runs", api_get_simulation_runs, HTTP_BODY_NONE, 0, "List the runs, newest first"},
    {"GET", "/simulation/runs/{run_id}", api_get_simulation_run, HTTP_BODY_NONE, 0, "Get the result of a run"},
    {"GET", "/simulation/runs/{run_id}/report", api_get_simulation_report, HTTP_BODY_NONE, 0,
     "Read the report of a run"},
    {"GET", "/simulation/runs/{run_id}/seconds.csv", api_get_simulation_seconds, HTTP_BODY_NONE, 0,
     "Get a run second by second"},
    {"GET", "/simulation/runs/{run_id}/latency.hgrm", api_get_simulation_latency, HTTP_BODY_NONE, 0,
     "Get the percentiles of a run"},
    {"GET", "/docs", api_get_docs, HTTP_BODY_NONE, 0, "Read this documentation in a browser"},
    {"GET", "/docs/{file}", api_get_docs_file, HTTP_BODY_NONE, 0, "Get a file that the documentation page loads"},
    {"GET", "/openapi.json", api_get_openapi, HTTP_BODY_NONE, 0, "Get this description"},
    {"GET", "/health/live", api_get_live, HTTP_BODY_NONE, 0, "Tell that the process runs"},
    {"GET", "/health/ready", api_get_ready, HTTP_BODY_NONE, 0, "Tell whether orders can be taken and shown"},
    {"GET", "/metrics", api_get_metrics, HTTP_BODY_NONE, 0, "Get metrics in the Prometheus text format"},
};

const struct http_route *api_routes(size_t *count_out) {
    *count_out = sizeof routes / sizeof *routes;
    return routes;
}
