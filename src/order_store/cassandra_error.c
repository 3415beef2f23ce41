/* What went wrong with Cassandra, in one line of plain words: the address, what happened, the likely remedy. */
#include <stdio.h>

#include "order_store/cassandra_store.h"

#define REASON_SIZE 192

/* The library's text is long and of many layers; this is what people know under other names. */
static const struct {
    const char *part, *words;
} reasons[] = {
    {"uthentication failed", "wrong user or password"},
    {"refused", "connection refused"},
    {"os error 113", "no route to the host"},
    {"os error 101", "the network is unreachable"},
    {"resolve", "unknown host name"},
    {"lookup", "unknown host name"},
    {"no answer within", "no answer in time"},
    {"imed out", "no answer in time"},
    {"imeout", "no answer in time"},
};

static const char *reason_of(const char *detail, const char *otherwise) {
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(detail, reasons[i].part)) return reasons[i].words;
    return otherwise;
}

static const struct explanation {
    enum cql_code code;
    enum status status;
    bool is_away; /* "does not answer", and `what` is the reason if the library says no better one */
    const char *what, *remedy;
} explanations[] = {
    {CQL_NO_HOST, STATUS_UNAVAILABLE, true, "no connection", "start it, or correct CASSANDRA_CONTACT_POINTS"},
    {CQL_CONNECTION_BROKEN, STATUS_UNAVAILABLE, true, "the connection broke", "see whether it still runs"},
    {CQL_CLIENT_TIMEOUT, STATUS_UNAVAILABLE, true, "no answer in time", "see whether it is overloaded or frozen"},
    {CQL_PROTOCOL, STATUS_UNAVAILABLE, false, "gave an answer that is not CQL",
     "see whether CASSANDRA_CONTACT_POINTS names its CQL port"},
    {CQL_TLS, STATUS_UNAVAILABLE, false, "and this program cannot agree on TLS",
     "correct ORDERLY_CASSANDRA_TLS_CA_FILE, _CERT_FILE, _KEY_FILE"},
    {CQL_UNAVAILABLE, STATUS_UNAVAILABLE, false, "has too few live replicas", "see `nodetool status`"},
    {CQL_WRITE_TIMEOUT, STATUS_UNAVAILABLE, false, "had no answer from enough replicas in time",
     "see whether nodes are overloaded"},
    {CQL_READ_TIMEOUT, STATUS_UNAVAILABLE, false, "had no answer from enough replicas in time",
     "see whether nodes are overloaded"},
    {CQL_WRITE_FAILURE, STATUS_UNAVAILABLE, false, "could not write on enough replicas", "see its log"},
    {CQL_READ_FAILURE, STATUS_UNAVAILABLE, false, "could not read on enough replicas", "see its log"},
    {CQL_OVERLOADED, STATUS_UNAVAILABLE, false, "is overloaded", "add nodes, or send less"},
    {CQL_BOOTSTRAPPING, STATUS_UNAVAILABLE, false, "is still starting", "wait"},
    {CQL_SCHEMA_DISAGREEMENT, STATUS_UNAVAILABLE, false, "has nodes that disagree about the tables",
     "see `nodetool describecluster`, then repeat `orderly setup`"},
    {CQL_SYNTAX_ERROR, STATUS_UNAVAILABLE, false, "refused a statement", "Orderly needs Cassandra 5.0 or newer"},
    {CQL_INVALID, STATUS_UNAVAILABLE, false, "refused a request",
     "if its tables were dropped, run `orderly setup`"},
    {CQL_UNAUTHORIZED, STATUS_UNAVAILABLE, false, "does not permit this to the user", "grant it"},
    {CQL_BAD_CREDENTIALS, STATUS_UNAVAILABLE, false, "refused the login",
     "correct ORDERLY_CASSANDRA_USER and ORDERLY_CASSANDRA_PASSWORD"},
    {CQL_BAD_ARGUMENT, STATUS_INVALID, false, "cannot be given this", "a value is not of its column's type"},
};
static const struct explanation other = {CQL_OTHER, STATUS_UNAVAILABLE, false, "did not do a request",
                                         "see its log"};

static const struct explanation *explanation_of(enum cql_code code) {
    for (size_t i = 0; i < sizeof explanations / sizeof *explanations; i++)
        if (explanations[i].code == code) return &explanations[i];
    return &other;
}

enum status cassandra_explain(const struct cassandra_store *store, enum cql_code code, const char *detail,
                              struct error *error) {
    const struct explanation *found = explanation_of(code);
    const char *at = store->options.contact_points;
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "%s", detail && *detail ? detail : cql_code_name(code));
    for (char *c = reason; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
    if (found->is_away)
        return error_set(error, found->status, "Cassandra at %s does not answer (%s): %s", at,
                         reason_of(reason, found->what), found->remedy);
    return error_set(error, found->status, "Cassandra at %s %s (%s): %s", at, found->what, reason_of(reason, reason),
                     found->remedy);
}
