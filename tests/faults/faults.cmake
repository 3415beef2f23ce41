add_executable(dump_events ${CMAKE_CURRENT_LIST_DIR}/dump_events.c)
target_link_libraries(dump_events PRIVATE orderly_event_log_embedded)
add_library(sync_shim MODULE ${CMAKE_SOURCE_DIR}/tests/support/sync_shim.c)
target_link_libraries(sync_shim PRIVATE dl)

function(orderly_fault_test name)
  add_test(NAME ${name} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/faults/${name}.py ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS faults TIMEOUT 600
    ENVIRONMENT "ORDERLY_BINARY=${CMAKE_BINARY_DIR}/orderly;DUMP_EVENTS=$<TARGET_FILE:dump_events>;SYNC_SHIM=$<TARGET_FILE:sync_shim>")
endfunction()
orderly_fault_test(kill_test)
orderly_fault_test(sync_test)
orderly_fault_test(full_disk_test)
orderly_fault_test(data_directory_test)
