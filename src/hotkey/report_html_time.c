/* The HTML report's plots over time, as tables of their lines: latency, throughput, memory, the server's figures. */
#include "hotkey/report_plot.h"

/* --- latency --- */

#define TIME_LINE(label_, class_, of, time, member)                                                                    \
    {                                                                                                                  \
        .label = (label_), .class = (class_), .field = LAB_SECOND(LAB_FIELD_MS, times[of][time].member),               \
        LAB_KNOWN(times[of][time].count)                                                                               \
    }
#define LATENCY(title_, of, name)                                                                                      \
    {                                                                                                                  \
        .title = (title_),                                                                                             \
        .text = "p99 of each second; the shaded band reaches from p50 to p99 of the response time.",                   \
        .unknown = "Nothing of this class was answered.",                                                              \
        .lines = {TIME_LINE("response p99", "line " name, of, LAB_RESPONSE, p99_ns),                                   \
                  TIME_LINE("service p99", "line dashed " name, of, LAB_SERVICE, p99_ns)},                             \
        .area = {TIME_LINE(NULL, NULL, of, LAB_RESPONSE, p50_ns), TIME_LINE(NULL, NULL, of, LAB_RESPONSE, p99_ns)},    \
        .area_class = "area " name, .words = lab_words_ms, .unit = "", .may_be_log = true                              \
    }
static const struct lab_panel latency[LAB_CLASSES] = {
    LATENCY("Hot clients.", LAB_HOT, "hot"),
    LATENCY("Normal clients.", LAB_NORMAL, "normal"),
};

/* Says what one point is, where it is more than a second. */
static void put_thinning(struct lab_html *html) {
    struct lab_place places[LAB_PLACES_MAX];
    size_t count = lab_places(html->result, places);
    if (count > 0 && places[0].to - places[0].from > 1)
        buffer_printf(
            html->out,
            "<p class=\"how\">As the run is long, a point of these plots stands for %zu seconds. Of times, CPU and "
            "ratios it shows the worst of these seconds; of rates the mean, and shaded from the lowest to the "
            "highest.</p>\n",
            places[0].to - places[0].from);
}

void lab_html_latency(struct lab_html *html) {
    lab_html_section(html, "latency", "Latency over time",
                     "Response time counts from the moment an operation was due: it is what users wait. Service time "
                     "counts from the moment it was really sent. Where the two lines part, operations had to wait "
                     "before they could even be sent.");
    put_thinning(html);
    struct lab_panel panels[LAB_CLASSES];
    double low = INFINITY, high = 0; /* of both, so that the classes can be compared */
    for (int class = 0; class < LAB_CLASSES; class ++) {
        panels[class] = latency[class];
        for (int i = 0; i < LAB_LINES_MAX && latency[class].lines[i].label; i++)
            lab_line_range(html->result, &latency[class].lines[i], &low, &high);
        lab_line_range(html->result, &latency[class].area[0], &low, &high);
    }
    for (int class = 0; class < LAB_CLASSES; class ++) {
        panels[class].least_high = high;
        panels[class].most_low = isfinite(low) ? low : 0;
        lab_plot_panel(html, &panels[class]);
    }
}

/* --- throughput --- */

#define RATE_LINE(label_, class_, member)                                                                              \
    .label = (label_), .class = (class_), .field = LAB_SECOND(LAB_FIELD_COUNT, counts[LAB_HOT].member),                \
    .plus = LAB_SECOND(LAB_FIELD_COUNT, counts[LAB_NORMAL].member), .per_second = true
static const struct lab_panel throughput = {
    .title = "Operations per second.",
    .text = "Both classes. Where done stays below offered, work piles up; where it lies above, the pile is worked off.",
    .unknown = "No second was measured.",
    .lines = {{RATE_LINE("done", "line done", completed), .thin = LAB_MEAN},
              {RATE_LINE("offered", "line dashed offered", offered), .thin = LAB_MEAN},
              {RATE_LINE("failed", "line dotted failed", failed), .hide_if_zero = true},
              {RATE_LINE("dropped", "line dotted dropped", dropped), .hide_if_zero = true}},
    .area = {{RATE_LINE(NULL, NULL, completed)}, {RATE_LINE(NULL, NULL, completed)}},
    .area_class = "area done",
    .words = lab_words_rate,
    .unit = "per second",
};

void lab_html_throughput(struct lab_html *html) {
    lab_html_section(html, "throughput", "Offered against done",
                     "Offered is what the schedule asks for, drawn before the run from its seed and not slowed down by "
                     "a slow server. Done is what was answered.");
    lab_plot_panel(html, &throughput);
}

/* --- the server and this program --- */

#define SERVER_LINE(type, member, thin_)                                                                               \
    {                                                                                                                  \
        .label = #member, .class = "line server", .thin = (thin_), .field = LAB_SECOND(type, server.member),           \
        LAB_KNOWN(server.is_known)                                                                                     \
    }
static const struct lab_panel memory[] = {
    {.title = "Memory of the hot key.",
     .text = "MEMORY USAGE of the key that the detector named first.",
     .unknown = "Not known: the server was not asked, or did not say.",
     .lines = {{.label = "hot key",
                .class = "line hot",
                .field = LAB_SECOND(LAB_FIELD_INTEGER, hot_key.memory_bytes),
                LAB_KNOWN(hot_key.is_known)}},
     .words = lab_words_rate,
     .is_bytes = true,
     .is_half = true},
    {.title = "Memory of the server.",
     .text = "used_memory of INFO: all its keys and clients.",
     .unknown = "Not known: the server does not say.",
     .lines = {SERVER_LINE(LAB_FIELD_INTEGER, used_memory_bytes, LAB_HIGHEST)},
     .words = lab_words_rate,
     .is_bytes = true,
     .is_half = true},
};

static const struct lab_panel server[] = {
    {.title = "Operations per second at the server.",
     .text = "Of all its clients, other programs' too.",
     .unknown = "Not known: the server does not say.",
     .lines = {SERVER_LINE(LAB_FIELD_REAL, ops_per_second, LAB_MEAN)},
     .words = lab_words_rate,
     .unit = "per second",
     .is_half = true},
    {.title = "CPU of the server.",
     .text = "Of one core: Redis runs its commands on one, so 100 % is the end.",
     .unknown = "Not known: the server does not say.",
     .lines = {SERVER_LINE(LAB_FIELD_REAL, cpu_share, LAB_HIGHEST)},
     .words = lab_words_share,
     .unit = "",
     .least_high = 1,
     .is_half = true},
    {.title = "Hit ratio of the server.",
     .text = "Reads that found their key, by the server's own counters.",
     .unknown = "Not known: the server does not say, or nothing was read.",
     .lines = {SERVER_LINE(LAB_FIELD_REAL, hit_ratio, LAB_LOWEST)},
     .words = lab_words_share,
     .unit = "",
     .least_high = 1,
     .is_half = true},
    {.title = "How late this program sent.",
     .text = "p99 of each second. It should stay far below the response times.",
     .unknown = "Nothing was sent.",
     .lines = {{.label = "late p99", .class = "line offered", .field = LAB_SECOND(LAB_FIELD_MS, late_p99_ns)}},
     .words = lab_words_ms,
     .unit = "",
     .may_be_log = true,
     .is_half = true},
};

static void put_panels(struct lab_html *html, const struct lab_panel *panels, size_t count) {
    buffer_put_text(html->out, "<div class=\"pair\">\n");
    for (size_t i = 0; i < count; i++)
        lab_plot_panel(html, &panels[i]);
    buffer_put_text(html->out, "</div>\n");
}

void lab_html_server(struct lab_html *html) {
    lab_html_section(html, "memory", "Memory", "");
    put_panels(html, memory, sizeof memory / sizeof memory[0]);
    lab_html_section(html, "server", "The server, and the machine that measured",
                     "What the server says of itself, and how well this program kept its own schedule.");
    put_panels(html, server, sizeof server / sizeof server[0]);
}
