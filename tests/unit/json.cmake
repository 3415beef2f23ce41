orderly_test(json_read_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/json_read_test.c USES orderly_base)
orderly_test(json_write_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/json_write_test.c USES orderly_base)
