/* GET /metrics: the registry in the Prometheus text format. */
#include "api/api_state.h"

#define METRICS_TEXT_MAX (8u << 20) /* bytes */

void api_get_metrics(struct http_request *request, void *data) {
    struct api *api = data;
    struct buffer body;
    buffer_init(&body, METRICS_TEXT_MAX);
    if (api->options.metrics) metrics_write(api->options.metrics, &body);
    http_respond_buffer(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    buffer_free(&body);
}
