add_library(http_harness STATIC ${CMAKE_CURRENT_LIST_DIR}/harness.c)
target_include_directories(http_harness PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(http_harness PUBLIC orderly_http PkgConfig::CMOCKA)

orderly_test(http_server_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_server_test.c USES http_harness LABEL http)
orderly_test(http_bodies_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_bodies_test.c USES http_harness LABEL http)
orderly_test(http_deferred_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_deferred_test.c USES http_harness LABEL http)
orderly_test(http_limits_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_limits_test.c USES http_harness failing_alloc LABEL http)
orderly_test(http_stream_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_stream_test.c USES http_harness failing_alloc LABEL http)
