/* The route table: every path this program answers, both dialects. openapi.yaml says the same, held by a test. */
#include "api/api_state.h"

static const struct http_route routes[] = {
    {"GET", "/orders", api_list_orders, HTTP_BODY_NONE, 0, "List orders, newest first"},
    {"POST", "/orders", api_post_orders, HTTP_BODY_JSON, 0, "Make an order"},
    {"GET", "/orders/{order_id}", api_get_order, HTTP_BODY_NONE, 0, "Read one order"},
    {"POST", "/api/orders", api_post_api_orders, HTTP_BODY_JSON_OPTIONAL, 0, "Make an order (second dialect)"},
    {"GET", "/api/orders/{order_id}", api_get_api_order, HTTP_BODY_NONE, 0, "Read an order's status (second dialect)"},
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
