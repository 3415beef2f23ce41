/* What the endpoints of the hot-key lab share. Private to src/api. */
#ifndef ORDERLY_API_SIMULATION_H
#define ORDERLY_API_SIMULATION_H

#include "api/api_state.h"
#include "hotkey/lab.h"

#define SIMULATION_TEXT_MAX (1u << 20)   /* bytes of an answer made here */
#define SIMULATION_FILE_MAX (64u << 20)  /* bytes of a run's file */

/* The lab, or NULL: there is none, and the request has been answered (503). */
struct lab *simulation_lab(struct http_request *request, struct api *api);

#endif
