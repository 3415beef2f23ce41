/* The near cache: this process's own, of orders that were read a moment ago. */
#ifndef ORDERLY_API_NEAR_CACHE_H
#define ORDERLY_API_NEAR_CACHE_H

#include "api/api_state.h"

/* Calls use(data, version, json) at once and returns true if there is a sound entry. */
bool near_cache_read(struct api *api, const struct uuid *order_id,
                     void (*use)(void *data, uint32_t version, struct bytes json), void *data);

/* Before a read that may fill: what near_cache_fill must be given. */
uint32_t near_cache_mark(struct api *api, const struct uuid *order_id);

/* Keeps what was read at read_at_ms, unless that is too long ago or an event about the order came since the mark. It
 * is used until its expiry, but not for longer than API_NEAR_TTL_MS after the read. */
void near_cache_fill(struct api *api, uint32_t mark, const struct order_cache_put *read, int64_t read_at_ms);

/* The feed's thread: the order has reached version (0: unknown). */
void near_cache_event(struct api *api, const struct uuid *order_id, uint32_t version);

#endif
