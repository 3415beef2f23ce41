/* What went wrong with Cassandra, in one line of plain words: the address, what happened, the likely remedy. */
#include <stdio.h>

#include "order_store/cassandra_store.h"

#define REASON_SIZE 192

/* The library's text is long and of many layers; this is what people know under other names. */
static const struct {
    const char *part, *words;
} reasons[] = {
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

/* "Cassandra at ADDRESS <what> (<reason>): <remedy>" */
static const struct explanation {
    enum cql_code code;
    enum status status;
    const char *what, *reason /* NULL: the library's text */, *remedy;
} explanations[] = {
    {CQL_NO_HOST, STATUS_UNAVAILABLE, "does not answer", "no connection",
     "start it, or correct CASSANDRA_CONTACT_POINTS"},
    {CQL_CONNECTION_BROKEN, STATUS_UNAVAILABLE, "does not answer", "the connection broke", "see whether it still runs"},
    {CQL_CLIENT_TIMEOUT, STATUS_UNAVAILABLE, "does not answer", "no answer in time",
     "see whether it is overloaded or frozen"},
    {CQL_PROTOCOL, STATUS_UNAVAILABLE, "gave an answer that is not CQL", NULL,
     "see whether CASSANDRA_CONTACT_POINTS names its CQL port"},
    {CQL_TLS, STATUS_UNAVAILABLE, "and this program cannot agree on TLS", NULL,
     "correct ORDERLY_CASSANDRA_TLS_CA_FILE, _CERT_FILE, _KEY_FILE"},
    {CQL_UNAVAILABLE, STATUS_UNAVAILABLE, "has too few live replicas", NULL, "see `nodetool status`"},
    {CQL_WRITE_TIMEOUT, STATUS_UNAVAILABLE, "had no answer from enough replicas in time", NULL,
     "see whether nodes are overloaded"},
    {CQL_READ_TIMEOUT, STATUS_UNAVAILABLE, "had no answer from enough replicas in time", NULL,
     "see whether nodes are overloaded"},
    {CQL_WRITE_FAILURE, STATUS_UNAVAILABLE, "could not write on enough replicas", NULL, "see its log"},
    {CQL_READ_FAILURE, STATUS_UNAVAILABLE, "could not read on enough replicas", NULL, "see its log"},
    {CQL_OVERLOADED, STATUS_UNAVAILABLE, "is overloaded", NULL, "add nodes, or send less"},
    {CQL_BOOTSTRAPPING, STATUS_UNAVAILABLE, "is still starting", NULL, "wait"},
    {CQL_SCHEMA_DISAGREEMENT, STATUS_UNAVAILABLE, "has nodes that disagree about the tables", NULL,
     "see `nodetool describecluster`, then repeat `orderly setup`"},
    {CQL_SYNTAX_ERROR, STATUS_UNAVAILABLE, "refused a statement", NULL, "Orderly needs Cassandra 5.0 or newer"},
    {CQL_INVALID, STATUS_UNAVAILABLE, "refused a request", NULL, "if its tables were dropped, run `orderly setup`"},
    {CQL_UNAUTHORIZED, STATUS_UNAVAILABLE, "does not permit this to the user", NULL, "grant it"},
    {CQL_BAD_CREDENTIALS, STATUS_UNAVAILABLE, "refused the login", "wrong user or password",
     "correct ORDERLY_CASSANDRA_USER and ORDERLY_CASSANDRA_PASSWORD"},
    {CQL_BAD_ARGUMENT, STATUS_INVALID, "cannot be given this", NULL, "a value is not of its column's type"},
};
static const struct explanation other = {CQL_OTHER, STATUS_UNAVAILABLE, "did not do a request", NULL, "see its log"};

static const struct explanation *explanation_of(enum cql_code code) {
    for (size_t i = 0; i < sizeof explanations / sizeof *explanations; i++)
        if (explanations[i].code == code) return &explanations[i];
    return &other;
}

enum status cassandra_explain(const struct cassandra_store *store, enum cql_code code, const char *detail,
                              struct error *error) {
    const struct explanation *found = explanation_of(code);
    char text[REASON_SIZE];
    snprintf(text, sizeof text, "%s", detail && *detail ? detail : cql_code_name(code));
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
    const char *reason = found->reason ? reason_of(text, found->reason) : text;
    return error_set(error, found->status, "Cassandra at %s %s (%s): %s", store->options.contact_points, found->what,
                     reason, found->remedy);
}
