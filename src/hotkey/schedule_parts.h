/* What the timeline needs of the schedule beside its header. */
#ifndef ORDERLY_HOTKEY_SCHEDULE_PARTS_H
#define ORDERLY_HOTKEY_SCHEDULE_PARTS_H

#include "hotkey/schedule.h"

int64_t lab_schedule_end_ns(const struct lab_schedule *schedule);

/* The pause of a closed client after an answer. */
int64_t lab_schedule_pause_ns(const struct lab_schedule *schedule, enum lab_class class);

#endif
