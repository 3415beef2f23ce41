/* `orderly serve`, `orderly api` and `orderly consumer`. */
#include "app/service.h"

static int run(int argc, char **argv, const struct app_usage *usage, unsigned parts, const char *const *replay) {
    struct app app;
    bool done;
    int code = app_open(&app, argc, argv, usage, &done);
    if (code == EXIT_OK && !done) code = service_run(&app, parts, replay && *replay);
    app_close(&app);
    return code;
}

int command_serve(int argc, char **argv) {
    const struct app_usage usage = {
        .name = "serve",
        .operands = "",
        .text = "Serves the API and processes orders in one process, until SIGTERM or Ctrl-C. Runs on the embedded\n"
                "engines (data under --data-dir) unless Kafka and Cassandra are configured.",
    };
    return run(argc, argv, &usage, SERVICE_API | SERVICE_CONSUMER, NULL);
}

int command_api(int argc, char **argv) {
    const struct app_usage usage = {
        .name = "api",
        .operands = "",
        .text = "Serves the API alone: orders are made durable in the log; `orderly consumer` processes them.",
    };
    return run(argc, argv, &usage, SERVICE_API, NULL);
}

int command_consumer(int argc, char **argv) {
    const char *replay = NULL;
    const struct app_flag flags[] = {
        {"--replay", NULL, "write the rows of the whole log again (no events, no cache), then end", &replay},
    };
    const struct app_usage usage = {
        .name = "consumer",
        .operands = "",
        .text = "Processes orders from the log. Start as many as wanted: they share out the partitions, and take over\n"
                "those of one that ends.",
        .flags = flags,
        .flag_count = 1,
    };
    return run(argc, argv, &usage, SERVICE_CONSUMER, &replay);
}
