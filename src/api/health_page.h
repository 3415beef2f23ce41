/* What /health/ready says. Private to src/api. */
#ifndef ORDERLY_API_HEALTH_PAGE_H
#define ORDERLY_API_HEALTH_PAGE_H

#include "api/health_watch.h"
#include "http/http.h"

/* Responds 200 or 503 with the parts, one by one. result: NULL if they did not answer in time. */
void health_page_respond(struct http_request *request, struct api *api, const struct health_result *result);

#endif
