/* The thread that watches time: deadlines of deferred requests, slow and idle connections, and sockets that are being
 * closed politely. */
#ifndef ORDERLY_HTTP_SWEEPER_H
#define ORDERLY_HTTP_SWEEPER_H

#include "base/status.h"

#define SWEEPER_TICK_MS 20
#define LINGER_MAX 64  /* sockets */
#define LINGER_MS 2000 /* of each */

struct http_server;
struct sweeper;

enum status sweeper_open(struct http_server *server, struct sweeper **sweeper_out, struct error *error);

/* Ends the thread; closes the lingering sockets. NULL is allowed. */
void sweeper_close(struct sweeper *sweeper);

/* Takes a socket whose answer is written and whose sending side is or will be shut down: reads and drops what still
 * comes until the other side closes. Closing with unread bytes would reset the connection, and the answer could be
 * lost. Any thread. */
void sweeper_linger(struct sweeper *sweeper, int fd);

#endif
