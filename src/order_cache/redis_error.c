/* What went wrong with Redis, in plain words: the address tried, what happened, and the likely remedy. */
#include <string.h>

#include "order_cache/redis_internal.h"

/* A remedy for a text that begins with (or, for what the system says, holds) this one. */
static const struct {
    const char *what, *remedy;
} remedies[] = {
    {"Connection refused", "nothing listens there: start Redis, or correct REDIS_HOST and REDIS_PORT"},
    {"no answer", "it is frozen, overloaded or behind a firewall, or speaks no TLS: see that `redis-cli ping` answers"},
    {"Name or service not known", "correct REDIS_HOST, or let the name be resolved here"},
    {"Temporary failure in name resolution", "see that the name server answers"},
    {"No route to host", "correct REDIS_HOST, or the network between"},
    {"Network is unreachable", "correct REDIS_HOST, or the network between"},
    {"Server closed the connection", "if it speaks TLS there, set ORDERLY_REDIS_TLS=true; else see Redis's log"},
    {"Connection reset by peer", "if it speaks TLS there, set ORDERLY_REDIS_TLS=true; else see Redis's log"},
    {"certificate verify failed", "its certificate must name REDIS_HOST and be signed by ORDERLY_REDIS_TLS_CA_FILE's"},
    {"TLS handshake failed", "its certificate must name REDIS_HOST and be signed by ORDERLY_REDIS_TLS_CA_FILE's"},
    {"Protocol error", "what answers there is not Redis: correct REDIS_HOST and REDIS_PORT"},
    {"NOAUTH", "it wants a password: set ORDERLY_REDIS_PASSWORD, and ORDERLY_REDIS_USER for an ACL user"},
    {"WRONGPASS", "correct ORDERLY_REDIS_USER and ORDERLY_REDIS_PASSWORD"},
    {"refuses the user or password", "correct ORDERLY_REDIS_USER and ORDERLY_REDIS_PASSWORD"},
    {"ERR AUTH <password> called without", "it has no password: unset ORDERLY_REDIS_PASSWORD"},
    {"ERR wrong number of arguments for 'auth'", "it knows no users (they need Redis 6): unset ORDERLY_REDIS_USER"},
    {"NOPERM", "grant the ACL user +@read +@write +@scripting +@connection +time +info on this installation's keys"},
    {"LOADING", "it reads its data from disk after a start: wait until it is done"},
    {"ERR max number of clients", "raise maxclients of Redis, or end idle clients"},
    {"DENIED", "Redis is in protected mode: give it a password, or let it listen on loopback only"},
    {"READONLY", "it is a replica: name the primary in REDIS_HOST"},
    {"MASTERDOWN", "it is a replica that lost its primary: name the primary in REDIS_HOST"},
    {"MOVED", "it is part of a Redis Cluster, which is not supported: name a Redis that stands alone"},
    {"CLUSTERDOWN", "it is part of a Redis Cluster, which is not supported: name a Redis that stands alone"},
    {"OOM", "its memory is full: raise maxmemory, or set maxmemory-policy to allkeys-lru"},
    {"MISCONF", "it cannot save to its disk and refuses writes: free space there, or see Redis's log"},
    {"BUSY", "somebody's script keeps it busy: SCRIPT KILL ends it"},
    {"ERR syntax error", "Redis 6.2 or newer is needed"},
};

static const char *remedy_of(const char *what) {
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (strstr(what, remedies[i].what)) return remedies[i].remedy;
    return NULL;
}

enum status redis_error_set(struct error *error, const struct order_cache_redis_options *options, const char *what) {
    const char *remedy = remedy_of(what);
    int what_size_max = ERROR_TEXT_SIZE / 2; /* the remedy must fit behind it */
    return error_set(error, STATUS_UNAVAILABLE, "Redis at %.128s:%u: %.*s%s%s", options->host, (unsigned)options->port,
                     what_size_max, what, remedy ? "; " : "", remedy ? remedy : "");
}

const char *redis_auth_text(const struct order_cache_redis_options *options, const char *text) {
    bool is_safe = remedy_of(text) && !strstr(text, options->password);
    return is_safe ? text : "it refuses the user or password (AUTH)";
}
