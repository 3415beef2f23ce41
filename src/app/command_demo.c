/* `orderly demo`: a bounded stream of believable orders through the API, to see the system live. */
#include <curl/curl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/progress.h"
#include "base/json.h"

#define DEMO_RATE_MAX 1000
#define DEMO_DURATION_MAX 86400
#define DEMO_FAILURES_MAX 20 /* in a row, then it gives up */
#define DEMO_TIMEOUT_MS 10000L

static const char *const first_names[] = {"Ada",     "Grace",     "Alan", "Edsger", "Barbara", "Donald",
                                          "Frances", "Niklaus",   "Hedy", "Radia",  "Dennis",  "Margaret",
                                          "Linus",   "Katherine", "Tim",  "Joan",   "Ken",     "Mary"};
static const char *const last_names[] = {"Okafor", "Lindqvist", "Moreau", "Tanaka",   "Schmidt", "Rossi",
                                         "Nowak",  "García",    "Haddad", "Kowalska", "Ivanov",  "Andersen",
                                         "Silva",  "O'Brien",   "Nguyen", "Weber"};
static const struct {
    const char *name;
    int price; /* minor units */
    int most;  /* pieces in one line */
} products[] = {
    {"Desk lamp, brass", 7900, 2},         {"Oak shelf, 80 cm", 12900, 3}, {"Linen napkins, set of 4", 2400, 6},
    {"Espresso cups, pair", 1850, 4},      {"Wool blanket", 8900, 2},      {"Notebook A5, dotted", 990, 12},
    {"Fountain pen, fine", 3200, 2},       {"Kitchen timer", 1450, 2},     {"Cast-iron pan, 26 cm", 5400, 1},
    {"Beeswax candles, box", 1690, 5},     {"Bicycle bell", 1290, 2},      {"Cotton tote bag", 890, 10},
    {"Ceramic plant pot, large", 3950, 3}, {"Reading chair", 34900, 1},    {"Picture frame, 30 x 40", 2250, 4},
};
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const char *pick(struct random *random, const char *const *list, size_t count) {
    return list[random_below(random, count)];
}

static void write_order(struct random *random, struct buffer *out) {
    struct json_writer writer;
    char name[128];
    snprintf(name, sizeof name, "%s %s", pick(random, first_names, COUNT(first_names)),
             pick(random, last_names, COUNT(last_names)));
    buffer_reset(out);
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "customer_name");
    json_text(&writer, name);
    json_key(&writer, "items");
    json_begin_array(&writer);
    for (uint64_t lines = 1 + random_below(random, 3); lines > 0; lines--) {
        size_t product = random_below(random, COUNT(products));
        json_begin_object(&writer);
        json_key(&writer, "item");
        json_text(&writer, products[product].name);
        json_key(&writer, "quantity");
        json_integer(&writer, 1 + (int64_t)random_below(random, (uint64_t)products[product].most));
        json_key(&writer, "unit_price");
        json_integer(&writer, products[product].price);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    buffer_put_char(out, 0);
}

static size_t drop_body(char *data, size_t size, size_t count, void *user) {
    (void)data, (void)user;
    return size * count;
}

/* Posts one order; true if it was taken, else text says why. */
static bool post_order(CURL *curl, const struct buffer *body, char *text, size_t text_size) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)(body->size - 1));
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        snprintf(text, text_size, "%s", curl_easy_strerror(code));
    else
        snprintf(text, text_size, "the server answered %ld", status);
    return code == CURLE_OK && status == 201;
}

struct demo {
    struct app *app;
    int64_t rate, duration_s, seed;
    const char *url;
};

static int send_all(const struct demo *demo, CURL *curl) {
    struct random_seeded random;
    struct progress progress;
    struct buffer body;
    char text[256] = "";
    uint64_t taken = 0;
    unsigned failures = 0;
    random_seeded_init(&random, (uint64_t)demo->seed);
    buffer_init(&body, 64 << 10);
    progress_start(&progress, "sent", demo->app->clock, 0);
    const int64_t start_ns = clock_monotonic_ns(demo->app->clock);
    for (int64_t i = 0; i < demo->rate * demo->duration_s && failures < DEMO_FAILURES_MAX; i++) {
        int64_t wait_ms = (start_ns + i * 1000000000 / demo->rate - clock_monotonic_ns(demo->app->clock)) / 1000000;
        if (wait_ms > 0) poll(NULL, 0, (int)wait_ms);
        write_order(&random.base, &body);
        if (body.status == STATUS_OK && post_order(curl, &body, text, sizeof text)) {
            taken++;
            failures = 0;
        } else {
            failures++;
        }
        progress_show(&progress, taken, 0, 0);
    }
    progress_end(&progress, taken);
    buffer_free(&body);
    if (failures < DEMO_FAILURES_MAX) return EXIT_OK;
    fprintf(stderr, "orderly: demo: %u failures in a row at %s: %s (is `orderly serve` running?)\n", failures,
            demo->url, text);
    return EXIT_FAILED;
}

static int run(const struct demo *demo) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    int code = EXIT_FAILED;
    if (curl && headers) {
        curl_easy_setopt(curl, CURLOPT_URL, demo->url);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, DEMO_TIMEOUT_MS);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        code = send_all(demo, curl);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return code;
}

int command_demo(int argc, char **argv) {
    const char *rate = "20", *duration = "60", *seed = "1", *url = NULL;
    const struct app_flag flags[] = {
        {"--rate", "N", "orders a second, 1 to 1000 (default 20)", &rate},
        {"--duration", "S", "seconds, 1 to 86400 (default 60)", &duration},
        {"--seed", "N", "another sequence of orders (default 1)", &seed},
        {"--url", "URL", "where to post (default: /orders/ on the first of --ports here)", &url},
    };
    const struct app_usage usage = {
        .name = "demo",
        .operands = "",
        .text = "Posts believable orders to a running orderly, at a steady rate for a bounded time.",
        .flags = flags,
        .flag_count = 4,
    };
    struct app app;
    struct demo demo = {.app = &app};
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) {
        char own_url[64];
        const char *const *ports;
        size_t port_count = config_list(app.config, SETTING_PORTS_HTTP, &ports);
        snprintf(own_url, sizeof own_url, "http://127.0.0.1:%s/orders/", port_count ? ports[0] : "8000");
        demo.url = url ? url : own_url;
        if (app_flag_integer("--rate", rate, 1, DEMO_RATE_MAX, &demo.rate) &&
            app_flag_integer("--duration", duration, 1, DEMO_DURATION_MAX, &demo.duration_s) &&
            app_flag_integer("--seed", seed, 0, INT64_MAX, &demo.seed))
            code = run(&demo);
        else
            code = EXIT_USAGE;
    }
    app_close(&app);
    return code;
}
