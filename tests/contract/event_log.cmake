# The event log's contract: one suite, one program for each adapter; and what is the embedded log's own.
add_library(event_log_contract STATIC
  event_log/event_log_contract.c event_log/log_requests.c event_log/log_members.c event_log/test_append.c
  event_log/test_reader.c event_log/test_trim.c event_log/test_group.c event_log/test_members.c ../support/child.c)
target_include_directories(event_log_contract PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(event_log_contract PUBLIC orderly_event_log PkgConfig::CMOCKA Threads::Threads)

orderly_test(event_log_partitioner_test SOURCES event_log/partitioner_test.c USES orderly_event_log)
orderly_test(event_log_embedded_contract_test SOURCES event_log/embedded_test.c event_log/embedded_adapter.c LABEL contract
  TIMEOUT 300 USES event_log_contract orderly_event_log_embedded)
orderly_test(event_log_embedded_own_test SOURCES event_log/embedded_log_test.c LABEL contract
  USES event_log_contract orderly_event_log_embedded)
orderly_test(event_log_kafka_contract_test SOURCES event_log/kafka_test.c event_log/kafka_adapter.c LABEL contract
  TIMEOUT 600 CLUSTER USES event_log_contract orderly_event_log_kafka)
