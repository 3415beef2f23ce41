/* The HTML report: one file without script that needs nothing else, for the screen (light and dark) and for paper. */
#include "hotkey/report.h"

/* Nothing may run or be loaded, whatever a key's value or an error's text says. */
#define POLICY "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

void lab_html_section(struct lab_html *html, const char *id, const char *title, const char *text) {
    buffer_printf(html->out, "<h2 id=\"%s\">%s</h2>\n", id, title);
    if (text[0]) buffer_printf(html->out, "<p class=\"how\">%s</p>\n", text);
}

static void put_opening(struct lab_html *html) {
    buffer_put_text(html->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                               "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\"/>\n"
                               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                               "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                               "<meta name=\"robots\" content=\"noindex\"/>\n<title>");
    lab_put_escaped(html->out, lab_profile_title(html->result->parameters.profile));
    buffer_put_text(html->out, " \u2013 Orderly hot-key lab</title>\n<style>\n");
    buffer_put_text(html->out, lab_report_style);
    buffer_put_text(html->out, "</style>\n</head>\n<body>\n<main>\n");
}

/* The hatching of what was found; one definition serves all plots. */
static void put_patterns(struct lab_html *html) {
    buffer_put_text(html->out,
                    "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
                    "<pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
                    "patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V5\"/></pattern></defs></svg>\n");
}

static void put_closing(struct lab_html *html) {
    buffer_put_text(html->out, "<footer><p>Made by Orderly ");
    lab_put_escaped(html->out, html->result->version);
    buffer_put_text(html->out, ". The same figures are in the run\u2019s JSON, CSV and hgrm files.</p></footer>\n"
                               "</main>\n</body>\n</html>\n");
}

void lab_result_write_html(const struct lab_result *result, struct buffer *out) {
    static void (*const parts[])(struct lab_html * html) = {
        put_opening,     put_patterns,  lab_html_head,   lab_html_latency,    lab_html_throughput, lab_html_percentiles,
        lab_html_counts, lab_html_keys, lab_html_server, lab_html_parameters, put_closing,
    };
    struct lab_facts facts;
    if (lab_facts_of(result, &facts) != STATUS_OK) {
        if (out->status == STATUS_OK) out->status = STATUS_NO_MEMORY;
        return;
    }
    struct lab_html html = {.result = result, .facts = &facts, .out = out};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        parts[i](&html);
}
