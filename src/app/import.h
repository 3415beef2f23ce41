/* The two ways of `orderly import`. */
#ifndef ORDERLY_APP_IMPORT_H
#define ORDERLY_APP_IMPORT_H

#include "app/engine.h"
#include "app/line_file.h"

/* Sends one create per line through the log. Ids follow from import_id and the line's number, so repeating an import
 * under the same id makes no order twice. All lines are checked first; a bad one stops it before anything is sent. */
enum status import_orders(struct app *app, struct engine *engine, struct line_file *lines, const char *import_id,
                          const char *mark_path, struct error *error);

/* Writes the rows of a backup into the store, with the pipeline stopped: joins its group and goes on only when every
 * partition is its own. What is there already stays. */
enum status import_restore(struct app *app, struct engine *engine, struct line_file *lines, const char *mark_path,
                           struct error *error);

#endif
