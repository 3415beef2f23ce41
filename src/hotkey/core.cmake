# What a run is told, its traffic, the detector.
list(APPEND ORDERLY_HOTKEY_SOURCES parameters.c parameters_check.c parameters_read.c parameters_write.c profiles.c keys.c
  schedule.c timeline.c space_saving.c)
