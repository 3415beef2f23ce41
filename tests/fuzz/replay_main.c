/* Runs a fuzz target on files and on all files of directories, where there is no libFuzzer. */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define FILE_SIZE_MAX (1 << 20)
#define PATH_SIZE 4096

static int replay_file(const char *path) {
    struct stat about;
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    int result = 1;
    if (!file || fstat(fileno(file), &about) != 0 || about.st_size > FILE_SIZE_MAX) goto end;
    size_t size = (size_t)about.st_size;
    data = malloc(size > 0 ? size : 1); /* the exact size, so that sanitizers see a read beyond it */
    if (!data || fread(data, 1, size, file) != size) goto end;
    LLVMFuzzerTestOneInput(data, size);
    result = 0;
end:
    if (result) fprintf(stderr, "cannot read %s\n", path);
    if (file) fclose(file);
    free(data);
    return result;
}

/* Returns the number of files, or -1. */
static int replay_directory(const char *path) {
    DIR *directory = opendir(path);
    int count = 0;
    if (!directory) return -1;
    for (struct dirent *entry; count >= 0 && (entry = readdir(directory));) {
        char name[PATH_SIZE];
        if (entry->d_name[0] == '.') continue;
        if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= (int)sizeof name) continue;
        count = replay_file(name) ? -1 : count + 1;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        struct stat about;
        bool is_directory = stat(argv[i], &about) == 0 && S_ISDIR(about.st_mode);
        int count = !is_directory ? (replay_file(argv[i]) ? -1 : 1) : replay_directory(argv[i]);
        if (count <= 0) {
            fprintf(stderr, "%s: nothing to replay\n", argv[i]);
            return 1;
        }
        printf("%s: %d replayed\n", argv[i], count);
    }
    return 0;
}
