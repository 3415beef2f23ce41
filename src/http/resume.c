/* Resuming suspended connections in batches.
 *
 * A resume takes a lock that the libmicrohttpd thread needs too, and wakes that thread; one for each response of a
 * group commit would make the two run against each other. So a responder leaves its request on the shard's stack, and
 * only the first one resumes a connection; when the thread comes to that connection it resumes all that are on the
 * stack by then, which costs it no wake-up.
 *
 * Nothing is forgotten. While waking is set, a connection has been or is being resumed whose turn is still to come: the
 * thread clears waking then, and looks at the stack after that. A responder pushes first and looks at waking after
 * that; if it was set, its request will be found. If not, it sets waking and resumes what is on the stack. That may be
 * nothing, if the thread came by in between: then nothing was resumed, and waking must not stay set. */
#include "http/internal.h"

struct shard *shard_of(struct http_server *server, struct MHD_Connection *mhd) {
    struct MHD_Daemon *worker = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_DAEMON)->daemon;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct MHD_Daemon *owner = NULL;
        struct shard *shard = &server->shards[i];
        if (atomic_load(&shard->worker) == worker) return shard;
        if (atomic_compare_exchange_strong(&shard->worker, &owner, worker)) return shard;
    }
    return &server->shards[0]; /* not reached: there are no more threads than shards */
}

void resume_now(struct http_request *request) {
    struct shard *shard = request->connection->shard;
    MHD_resume_connection(request->connection->mhd); /* from here on the request may end */
    atomic_fetch_sub(&shard->suspended, 1);          /* and from here on the server, unless we are its thread */
}

static void resume_all(struct http_request *request) {
    while (request) {
        struct http_request *next = request->next_ready;
        resume_now(request);
        request = next;
    }
}

void resume_later(struct http_request *request) {
    struct shard *shard = request->connection->shard;
    atomic_fetch_add(&shard->responders, 1); /* keeps the server until we are done with the shard */
    request->next_ready = atomic_load(&shard->ready);
    while (!atomic_compare_exchange_weak(&shard->ready, &request->next_ready, request))
        continue;
    while (atomic_load(&shard->ready) && !atomic_exchange(&shard->waking, true)) {
        struct http_request *taken = atomic_exchange(&shard->ready, NULL);
        if (!taken) atomic_store(&shard->waking, false);
        resume_all(taken);
    }
    atomic_fetch_sub(&shard->responders, 1);
}

void resume_ready(struct shard *shard) {
    atomic_exchange(&shard->waking, false);
    resume_all(atomic_exchange(&shard->ready, NULL));
}
