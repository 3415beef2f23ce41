/* Every problem the endpoints answer with, in one table: code, HTTP status and what to say. */
#ifndef ORDERLY_API_PROBLEM_H
#define ORDERLY_API_PROBLEM_H

#include "base/uuid.h"
#include "http/http.h"

enum api_problem {
    PROBLEM_INVALID_JSON,
    PROBLEM_IDEMPOTENCY_KEY,
    PROBLEM_INVALID_ORDER,
    PROBLEM_INVALID_ORDER_ID,
    PROBLEM_INVALID_QUERY,
    PROBLEM_ORDER_NOT_FOUND,
    PROBLEM_NOT_VISIBLE_YET,
    PROBLEM_PAGE_NOT_FOUND,
    PROBLEM_ORDER_TOO_LARGE,
    PROBLEM_TOO_MANY_PENDING,
    PROBLEM_TOO_MANY_WAITING,
    PROBLEM_STORAGE_FULL,
    PROBLEM_LOG_UNAVAILABLE,
    PROBLEM_OUTCOME_UNKNOWN,
    PROBLEM_STORE_UNAVAILABLE,
    PROBLEM_STORED_DATA_DAMAGED,
    PROBLEM_NO_MEMORY,
    PROBLEM_INVALID_SIMULATION,
    PROBLEM_SIMULATION_RUNNING,
    PROBLEM_SIMULATION_NOT_RUNNING,
    PROBLEM_INVALID_RUN_ID,
    PROBLEM_RUN_NOT_FOUND,
    PROBLEM_LAB_UNAVAILABLE,
    PROBLEM_LAB_BUSY,
    PROBLEM_TOO_MANY_STREAMS,
    PROBLEM_COUNT
};

struct api_problem_kind {
    const char *code; /* stable, for programs */
    int status;
    int retry_after_s;  /* 0: none */
    const char *detail; /* for people */
};

/* The row of the table. */
const struct api_problem_kind *api_problem_kind(enum api_problem problem);

/* Responds with the row as it stands. Any thread; never fails for lack of memory (http answers 503 then). */
void api_respond_problem(struct http_request *request, enum api_problem problem);

/* The row as an http_problem, to be completed with a better detail, fields or an extra member. */
struct http_problem api_problem(enum api_problem problem);

/* What a failed append or store read means for the client. */
enum api_problem api_problem_of_append(enum status status);
enum api_problem api_problem_of_read(enum status status);

/* The body is not JSON: says where and why, as the problem's member "position". */
struct json_error;
void api_respond_invalid_json(struct http_request *request, const struct json_error *error);

/* The {order_id} of the path. False: it is none, and the request has been answered (422). */
bool api_path_order_id(struct http_request *request, struct uuid *order_id_out);

#endif
