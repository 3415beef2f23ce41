# The API over HTTP against the real program, and its description against the server's own tables.
add_executable(api_truth ${CMAKE_CURRENT_LIST_DIR}/api_truth.c)
target_link_libraries(api_truth PRIVATE orderly_api orderly_http)

function(orderly_http_test name)
  add_test(NAME ${name} COMMAND ${ORDERLY_PYTHON} ${CMAKE_SOURCE_DIR}/tests/http/${name}.py ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS http TIMEOUT 300
    ENVIRONMENT "ORDERLY_BINARY=${CMAKE_BINARY_DIR}/orderly;ORDERLY_TRUTH=$<TARGET_FILE:api_truth>;ORDERLY_SANITIZED=${ORDERLY_SANITIZE}")
endfunction()
orderly_http_test(openapi_test)
orderly_http_test(api_orders_test)
orderly_http_test(api_list_test)
orderly_http_test(api_bad_input_test)
orderly_http_test(api_service_test)
orderly_http_test(api_schemathesis_test)
orderly_http_test(simulation_test)
orderly_http_test(simulation_process_test)

# The same service in one process, for tests that look behind the API.
add_library(api_service STATIC ${CMAKE_CURRENT_LIST_DIR}/api_service.c)
target_link_libraries(api_service PUBLIC orderly_api orderly_test_rig PkgConfig::CMOCKA)
orderly_test(api_memory_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/api_memory_test.c USES api_service failing_alloc LABEL http)
orderly_test(api_behind_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/api_behind_test.c USES api_service LABEL http)
