# The lab as the service runs it: a child process for each run, its live state, the history.
list(APPEND ORDERLY_HOTKEY_SOURCES lab.c lab_child.c lab_events.c lab_history.c lab_thread.c)
