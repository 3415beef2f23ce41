/* Prints a sample result in one form: what the Python test reads, and what a person looks at.
 *
 *     report_sample frozen html > frozen.html */
#include <stdio.h>
#include <stdlib.h>

#include "hotkey/sample_result.h"

#define OUTPUT_MAX (256u << 20)

static void hgrm(const struct lab_result *result, struct buffer *out) {
    lab_result_write_hgrm(result, LAB_HOT, LAB_RESPONSE, out);
}

static void summary(const struct lab_result *result, struct buffer *out) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    lab_result_write_summary(result, &writer);
}

static const struct {
    const char *name;
    void (*write)(const struct lab_result *result, struct buffer *out);
} forms[] = {{"json", lab_result_write_json},      {"csv", lab_result_write_csv},   {"hgrm", hgrm},
             {"html", lab_result_write_html},      {"text", lab_result_write_text}, {"summary", summary},
             {"verdict", lab_result_write_verdict}};

int main(int argument_count, char **arguments) {
    for (int sample = 0; argument_count == 3 && sample < SAMPLES; sample++) {
        if (strcmp(arguments[1], sample_names[sample]) != 0) continue;
        for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
            if (strcmp(arguments[2], forms[i].name) != 0) continue;
            struct lab_result result;
            struct buffer out;
            buffer_init(&out, OUTPUT_MAX);
            sample_result((enum sample)sample, &result);
            forms[i].write(&result, &out);
            bool is_good =
                out.status == STATUS_OK && fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0;
            buffer_free(&out);
            lab_result_free(&result);
            return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
        }
    }
    fprintf(stderr, "usage: report_sample SAMPLE json|csv|hgrm|html|text|summary|verdict\n");
    return 2;
}
