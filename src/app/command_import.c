/* `orderly import`: reads its flags and hands the file to one of the two ways. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/backup.h"
#include "app/import.h"

#define IMPORT_ID_MAX 100

static int run(struct app *app, const char *path, const char *import_id, const char *restore) {
    struct engine engine = {0};
    struct line_file lines = {0};
    struct error error = {""};
    char mark_path[4096];
    if (snprintf(mark_path, sizeof mark_path, "%s.%s.progress", path, restore ? "restore" : import_id) >=
        (int)sizeof mark_path) {
        fputs("orderly: import: the path is too long\n", stderr);
        return EXIT_USAGE;
    }
    enum status status = line_file_open(&lines, path, restore ? BACKUP_LINE_MAX : ORDER_TEXT_MAX, &error);
    if (status == STATUS_OK) status = engine_open(app, ENGINE_SERVE, &engine, &error);
    if (status == STATUS_OK)
        status = restore ? import_restore(app, &engine, &lines, mark_path, &error)
                         : import_orders(app, &engine, &lines, import_id, mark_path, &error);
    engine_close(&engine);
    line_file_close(&lines);
    if (status == STATUS_OK) {
        unlink(mark_path);
        return EXIT_OK;
    }
    app_complain("import", &error);
    return EXIT_FAILED;
}

static bool import_id_is_sound(const char *import_id) {
    size_t size = strlen(import_id);
    return size > 0 && size <= IMPORT_ID_MAX &&
           strspn(import_id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

int command_import(int argc, char **argv) {
    const char *path = NULL, *import_id = NULL, *restore = NULL;
    const struct app_flag flags[] = {
        {"--id", "NAME", "names this import: a repeat under the same name makes no order twice", &import_id},
        {"--restore", NULL, "FILE is a backup (orderly export): write it into the store, pipeline stopped", &restore},
    };
    const struct app_usage usage = {
        .name = "import",
        .operands = "FILE",
        .text =
            "Sends orders, one JSON object a line as POST /orders/ takes them, through the log; `orderly consumer`\n"
            "or `orderly serve` processes them. All lines are checked before the first is sent. An interrupted\n"
            "import goes on where it stopped.",
        .flags = flags,
        .flag_count = 2,
        .operand_out = &path,
    };
    struct app app;
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) {
        if (!restore == !import_id) {
            fputs("orderly import: give either --id NAME or --restore\n", stderr);
            code = EXIT_USAGE;
        } else if (import_id && !import_id_is_sound(import_id)) {
            fputs("orderly import: --id takes 1 to 100 letters, digits, dots, dashes and underscores\n", stderr);
            code = EXIT_USAGE;
        } else {
            code = run(&app, path, import_id, restore);
        }
    }
    app_close(&app);
    return code;
}
