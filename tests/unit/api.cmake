# The API's parts that need no server: the table of pending orders, and the list's cursors.
orderly_test(api_pending_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/api_pending_test.c USES orderly_api)
orderly_test(api_cursor_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/api_cursor_test.c USES orderly_api)
