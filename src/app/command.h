/* The commands of the program: one function each, called with its own name as argv[0], returning the exit code. */
#ifndef ORDERLY_APP_COMMAND_H
#define ORDERLY_APP_COMMAND_H

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* it did not work; the reason was printed */
    EXIT_USAGE = 2,  /* wrong arguments or configuration; nothing was done */
    EXIT_SYNC = 74,  /* the disk lost a write (EX_IOERR): see lmdb/lmdb_env.h, fatal */
};

struct command_entry {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

int command_serve(int argc, char **argv);
int command_api(int argc, char **argv);
int command_consumer(int argc, char **argv);
int command_setup(int argc, char **argv);
int command_check(int argc, char **argv);
int command_config(int argc, char **argv);
int command_import(int argc, char **argv);
int command_export(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_version(int argc, char **argv);

#endif
