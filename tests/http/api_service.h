/* The whole service in this process, for tests that look behind the API: embedded engines, pipeline, feed, API, server,
 * and a client that allocates nothing. */
#ifndef ORDERLY_TESTS_HTTP_API_SERVICE_H
#define ORDERLY_TESTS_HTTP_API_SERVICE_H

#include "api/api_state.h"
#include "support/rig.h"

#define SERVICE_WAIT_MS 20000
#define SERVICE_REPLY_SIZE (1u << 20)

struct service {
    struct rig rig;
    struct feed *feed;
    struct api *api;
    struct http_server *server;
    char reply[SERVICE_REPLY_SIZE]; /* of the last service_ask */
};

/* clock: NULL for the system's. store: instead of the rig's; NULL: that. */
struct service *service_open(const struct clock *clock, struct order_store *store, bool with_pipeline);
void service_close(struct service *service);

/* Sends the bytes on a connection of their own and reads until its end. The status, or 0 if there was no answer. */
int service_ask(struct service *service, const char *request);
int service_get(struct service *service, const char *path, const char *headers);
int service_post(struct service *service, const char *path, const char *headers, const char *body);

/* Writes a request of that kind; headers: lines that end in CR LF, or "". */
void service_write_get(char *request, size_t size, const char *path, const char *headers);
void service_write_post(char *request, size_t size, const char *path, const char *headers, const char *body);

/* The order id in the last reply. */
struct uuid service_order_id(struct service *service);

/* Waits until the condition holds; fails the test when the time is over. */
void service_wait(bool (*condition)(struct service *service), struct service *service);
bool service_feed_is_live(struct service *service);
bool service_nothing_is_pending(struct service *service);

#endif
