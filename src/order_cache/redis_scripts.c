/* What Redis keeps and the three scripts that change it.
 *
 * An entry is a string: "<version> <expires, ms> <made, µs>\n<the order's JSON>", so that redis-cli shows it as it is,
 * and so that a script compares the first bytes and leaves the rest alone. "made" is Redis's own time: a clear removes
 * what was there when it began, not what comes while it goes on. It is 0 in an entry made without a script: a clear
 * removes that one always. Numbers stay below 2^53: exact in Lua. */
#include <inttypes.h>

#include "order_cache/redis_internal.h"

/* KEYS: entry. ARGV: version, expiry, value. 1: kept; 0: not newer, or too late by Redis's clock. An entry past its own
 * expiry counts as absent though Redis still has it (its clock's ms may end a little later). */
static const char put_script[] = "local time = redis.call('TIME')\n"
                                 "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
                                 "local version, expires = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
                                 "if expires <= now then return 0 end\n"
                                 "local head = redis.call('GETRANGE', KEYS[1], 0, 63)\n"
                                 "local v, e = string.match(head, '^(%d+) (%d+) %d+\\n')\n"
                                 "if v then\n"
                                 "  v, e = tonumber(v), tonumber(e)\n"
                                 "  if e > now and (v > version or (v == version and e >= expires)) then return 0 end\n"
                                 "end\n"
                                 "local made = time[1] .. string.format('%06d', time[2])\n"
                                 "local entry = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. made .. '\\n' .. ARGV[3]\n"
                                 "redis.call('SET', KEYS[1], entry, 'PXAT', ARGV[2])\n"
                                 "return 1\n";

/* KEYS: entry. ARGV: the version below which it goes. */
static const char drop_script[] = "local v = string.match(redis.call('GETRANGE', KEYS[1], 0, 15), '^(%d+) ')\n"
                                  "if v and tonumber(v) < tonumber(ARGV[1]) then\n"
                                  "  return redis.call('UNLINK', KEYS[1])\n"
                                  "end\n"
                                  "return 0\n";

/* ARGV: cursor, pattern, step, and when the clear began ("": now). Returns the next cursor and when it began. */
static const char clear_script[] = "local begun = ARGV[4]\n"
                                   "if begun == '' then\n"
                                   "  local time = redis.call('TIME')\n"
                                   "  begun = time[1] .. string.format('%06d', time[2])\n"
                                   "end\n"
                                   "local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])\n"
                                   "for _, key in ipairs(page[2]) do\n"
                                   "  if redis.call('TYPE', key).ok == 'string' then\n"
                                   "    local head = redis.call('GETRANGE', key, 0, 63)\n"
                                   "    local made = string.match(head, '^%d+ %d+ (%d+)\\n')\n"
                                   "    if made and tonumber(made) <= tonumber(begun) then\n"
                                   "      redis.call('UNLINK', key)\n"
                                   "    end\n"
                                   "  end\n"
                                   "end\n"
                                   "return {page[1], begun}\n";

const char *const redis_scripts[SCRIPT_COUNT] = {
    [SCRIPT_PUT] = put_script,
    [SCRIPT_DROP] = drop_script,
    [SCRIPT_CLEAR] = clear_script,
};

bool redis_entry_write(struct buffer *out, const struct order_cache_entry *entry) {
    buffer_reset(out);
    buffer_printf(out, "%" PRIu32 " %" PRId64 " 0\n", entry->version, entry->expires_at_ms);
    buffer_put(out, entry->value);
    return out->status == STATUS_OK;
}

/* Reads digits up to the delimiter, which is taken too. */
static bool read_number(struct bytes *text, char delimiter, int64_t maximum, int64_t *number_out) {
    int64_t number = 0;
    size_t i = 0;
    for (; i < text->size && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
        int digit = text->data[i] - '0';
        if (number > (maximum - digit) / 10) return false;
        number = number * 10 + digit;
    }
    if (i == 0 || i == text->size || text->data[i] != delimiter) return false;
    *text = (struct bytes){text->data + i + 1, text->size - i - 1};
    *number_out = number;
    return true;
}

bool redis_entry_parse(struct bytes text, struct order_cache_entry *entry_out) {
    int64_t version, expires_at_ms, made_us;
    if (!read_number(&text, ' ', UINT32_MAX, &version) || !read_number(&text, ' ', INT64_MAX, &expires_at_ms) ||
        !read_number(&text, '\n', INT64_MAX, &made_us))
        return false;
    *entry_out = (struct order_cache_entry){(uint32_t)version, text, expires_at_ms};
    return true;
}
