/* Embedded orders beside a cluster. */
#ifndef ORDERLY_APP_LEFTOVERS_H
#define ORDERLY_APP_LEFTOVERS_H

#include "app/app.h"

/* Warns if the cluster is configured and the data directory holds orders, and names the way over. */
void leftovers_warn(struct app *app);

#endif
