/* The hot-key lab of a service. */
#ifndef ORDERLY_APP_SERVICE_LAB_H
#define ORDERLY_APP_SERVICE_LAB_H

#include "app/app.h"
#include "hotkey/lab.h"

/* Opens the lab on lab/ in the data directory, with this program and its settings for the runs. NULL: it cannot be opened,
 * which is worth a warning, and no reason not to take orders. */
struct lab *service_lab_open(struct app *app);

#endif
