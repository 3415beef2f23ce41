/* The two kinds of engines, as engine.c chooses between them. Private to src/app. */
#ifndef ORDERLY_APP_ENGINE_PARTS_H
#define ORDERLY_APP_ENGINE_PARTS_H

#include "app/engine.h"

enum status engine_embedded_open_log(struct app *app, enum engine_mode mode, struct engine *engine,
                                     struct error *error);
enum status engine_embedded_open_store(struct app *app, enum engine_mode mode, struct engine *engine,
                                       struct error *error);

enum status engine_cluster_open_log(struct app *app, enum engine_mode mode, struct engine *engine, struct error *error);
enum status engine_cluster_open_store(struct app *app, enum engine_mode mode, struct engine *engine,
                                      struct error *error);

#endif
