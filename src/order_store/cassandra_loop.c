/* The store's thread: it takes new requests and Cassandra's answers, sends calls as far as there is room, and replaces
 * a session that does not come back. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "order_store/cassandra_store.h"

enum { READS, WRITES };
#define TURN_CALLS 32         /* of one operation before the next one's turn */
#define TAKE_MAX 256          /* answers at a time */
#define SWEEP_MS 100          /* between looks for requests that waited too long for room */
#define CONNECT_PAUSE_MS 2000 /* between attempts to replace it */

void cassandra_loop_wake(struct cassandra_store *store) {
    const uint64_t one = 1;
    ssize_t written = write(store->wake_fd, &one, sizeof one);
    (void)written; /* full means that it is awake already */
}

void cassandra_loop_ready(struct cassandra_operation *operation) {
    operation->is_ready = true;
    queue_push(&operation->store->ready[operation->ops->writes ? WRITES : READS], &operation->link);
}

static struct cassandra_operation *next_ready(struct cassandra_store *store, int which) {
    struct queue_link *link = queue_pop(&store->ready[which]);
    if (!link) return NULL;
    struct cassandra_operation *operation = CONTAINER_OF(link, struct cassandra_operation, link);
    operation->is_ready = false;
    return operation;
}

/* In turns, so that a request of a thousand writes does not hold up a small one; reads go first, and a quarter of the
 * room is theirs alone. */
static void send_ready(struct cassandra_store *store) {
    for (int which = READS; which <= WRITES; which++) {
        size_t limit = which == READS ? store->in_flight_max : store->in_flight_max - store->in_flight_max / 4;
        while (store->in_flight < limit && store->ready[which].count > 0) {
            size_t room = limit - store->in_flight;
            cassandra_operation_pump(next_ready(store, which), room < TURN_CALLS ? room : TURN_CALLS);
        }
    }
}

/* Ends what has waited too long for room. */
static void sweep(struct cassandra_store *store) {
    int64_t now_ns = clock_monotonic_ns(store->options.clock);
    if (now_ns - store->swept_ns < SWEEP_MS * INT64_C(1000000)) return;
    store->swept_ns = now_ns;
    for (int which = READS; which <= WRITES; which++)
        for (size_t count = store->ready[which].count; count > 0; count--) {
            struct cassandra_operation *operation = next_ready(store, which);
            if (operation->deadline_ns <= now_ns) cassandra_operation_expire(operation);
            if (operation->status == STATUS_OK)
                cassandra_loop_ready(operation);
            else
                cassandra_operation_settle(operation);
        }
}

static void begin_new(struct cassandra_store *store) {
    struct queue inbox;
    pthread_mutex_lock(&store->mutex);
    inbox = store->inbox;
    store->inbox = (struct queue){NULL, NULL, 0};
    pthread_mutex_unlock(&store->mutex);
    for (struct queue_link *link = queue_pop(&inbox); link; link = queue_pop(&inbox))
        cassandra_operation_begin(CONTAINER_OF(link, struct cassandra_operation, link));
}

/* --- answers --- */

static bool is_transport(enum cql_code code) {
    return code == CQL_CLOSED || code == CQL_PANIC || (code >= CQL_NO_HOST && code <= CQL_TLS);
}

void cassandra_loop_note(struct cassandra_store *store, enum cql_code code) {
    if (!is_transport(code)) {
        store->failing_since_ns = 0;
        return;
    }
    store->failed_ns = clock_monotonic_ns(store->options.clock);
    if (store->failing_since_ns == 0) store->failing_since_ns = store->failed_ns;
}

static void take_answers(struct cassandra_store *store, struct cql_session *cql) {
    struct cql_completion completions[TAKE_MAX];
    size_t count;
    do {
        count = cql_take(cql, completions, TAKE_MAX);
        for (size_t i = 0; i < count; i++) {
            store->in_flight--;
            cassandra_loop_note(store, completions[i].code);
            cassandra_operation_answered(completions[i].data, &completions[i]);
        }
    } while (count == TAKE_MAX);
}

/* --- replacing a session: connecting blocks, so a thread of its own does it --- */

static void *connect_again(void *data) {
    struct cassandra_store *store = data;
    struct cassandra_session *session = NULL; /* stays so if there is no connection */
    cassandra_session_open(store, &session, NULL);
    pthread_mutex_lock(&store->mutex);
    store->new_session = session;
    store->connector_ended = true;
    pthread_mutex_unlock(&store->mutex);
    cassandra_loop_wake(store);
    return NULL;
}

/* The old session's calls end as cancelled; their answers are still taken here. */
static void replace_session(struct cassandra_store *store, struct cassandra_session *session) {
    struct cql_session *old = store->session->cql;
    cql_shutdown(old, 0);
    take_answers(store, old);
    cassandra_session_replace(store, session);
    store->failing_since_ns = 0;
    atomic_store(&store->known.forget, true);
    metric_add(store->metrics.sessions, 1);
    log_event(store->options.logger, LOG_WARN, "connected to Cassandra anew",
              LOG_S("contact_points", store->options.contact_points));
}

static void end_connector(struct cassandra_store *store) {
    pthread_mutex_lock(&store->mutex);
    bool has_ended = store->connector_ended;
    pthread_mutex_unlock(&store->mutex);
    if (!store->connector_runs || !has_ended) return;
    pthread_join(store->connector, NULL);
    store->connector_runs = store->connector_ended = false;
    struct cassandra_session *session = store->new_session;
    store->new_session = NULL;
    if (session && store->failing_since_ns != 0)
        replace_session(store, session);
    else
        cassandra_session_free(session); /* it could not connect, or the old one has recovered */
}

/* The driver reconnects by itself; only a session on which requests fail and fail is not waited for any longer. */
static void supervise(struct cassandra_store *store) {
    end_connector(store);
    int64_t now_ns = clock_monotonic_ns(store->options.clock);
    if (store->connector_runs || store->failing_since_ns == 0 || now_ns < store->connect_after_ns) return;
    if (store->failed_ns - store->failing_since_ns < store->session_failing_ms * INT64_C(1000000)) return;
    if (now_ns - store->failed_ns > CONNECT_PAUSE_MS * INT64_C(1000000)) return; /* nobody asks: nothing is known */
    store->connect_after_ns = now_ns + CONNECT_PAUSE_MS * INT64_C(1000000);
    store->connector_runs = pthread_create(&store->connector, NULL, connect_again, store) == 0;
}

/* --- the thread --- */

static void wait_for_work(struct cassandra_store *store) {
    struct pollfd fds[] = {
        {.fd = store->wake_fd, .events = POLLIN},
        {.fd = cql_eventfd(store->session->cql), .events = POLLIN},
    };
    bool waits = store->ready[READS].count || store->ready[WRITES].count;
    uint64_t woken;
    poll(fds, sizeof fds / sizeof *fds, waits ? SWEEP_MS : -1);
    ssize_t size = read(store->wake_fd, &woken, sizeof woken);
    (void)size; /* nothing there: woken by an answer or by time */
}

static void *run(void *data) {
    struct cassandra_store *store = data;
    bool is_over = false;
    while (!is_over) {
        wait_for_work(store);
        take_answers(store, store->session->cql);
        begin_new(store);
        send_ready(store);
        sweep(store);
        supervise(store);
        pthread_mutex_lock(&store->mutex);
        is_over = store->closing && store->accepted == 0;
        pthread_mutex_unlock(&store->mutex);
    }
    return NULL;
}

enum status cassandra_loop_start(struct cassandra_store *store, struct error *error) {
    store->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->wake_fd < 0) return error_set_errno(error, STATUS_IO, errno, "order store: cannot make an eventfd");
    int code = pthread_create(&store->loop, NULL, run, store);
    if (code) return error_set_errno(error, STATUS_IO, code, "order store: cannot start a thread");
    store->loop_runs = true;
    return STATUS_OK;
}

void cassandra_loop_stop(struct cassandra_store *store) {
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    while (store->loop_runs && store->accepted > 0)
        pthread_cond_wait(&store->idle, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
    if (store->loop_runs) {
        cassandra_loop_wake(store);
        pthread_join(store->loop, NULL);
        store->loop_runs = false;
    }
    if (store->connector_runs) {
        pthread_join(store->connector, NULL);
        cassandra_session_free(store->new_session);
        store->connector_runs = false;
    }
    if (store->wake_fd >= 0) close(store->wake_fd);
    store->wake_fd = -1;
}
