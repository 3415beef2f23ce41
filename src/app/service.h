/* A running service: the API, the consumer, or both, until a signal ends it. */
#ifndef ORDERLY_APP_SERVICE_H
#define ORDERLY_APP_SERVICE_H

#include "app/app.h"

enum { SERVICE_API = 1, SERVICE_CONSUMER = 2 };

/* Starts the parts, serves until SIGTERM or SIGINT, drains, and returns the exit code. replay: the consumer replays the
 * whole log into the store (rows only) and ends. */
int service_run(struct app *app, unsigned parts, bool replay);

#endif
