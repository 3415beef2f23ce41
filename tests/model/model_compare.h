/* Holds an installation against the model: orders, histories, listings, verdicts. */
#ifndef ORDERLY_TESTS_MODEL_MODEL_COMPARE_H
#define ORDERLY_TESTS_MODEL_MODEL_COMPARE_H

#include "model/model_round.h"
#include "support/verdicts.h"

/* True if nothing differs; else the first difference is printed. events_from: where order-events ended before. */
bool round_compare(const struct round *round, struct rig *rig, const int64_t *events_from);

#endif
