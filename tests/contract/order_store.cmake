# The order store's contract: one suite, one program for each adapter.
add_library(order_store_contract STATIC
  order_store/order_store_contract.c order_store/store_requests.c order_store/store_samples.c order_store/store_model.c
  order_store/test_versions.c order_store/test_lists.c order_store/test_scans.c order_store/test_fields.c
  order_store/test_random.c order_store/test_threads.c)
target_include_directories(order_store_contract PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(order_store_contract PUBLIC orderly_order PkgConfig::CMOCKA Threads::Threads)

orderly_test(order_store_embedded_test SOURCES order_store/embedded_test.c LABEL contract
  USES order_store_contract orderly_order_store_embedded)
if(ORDERLY_CASSANDRA)
  orderly_test(order_store_cassandra_test SOURCES order_store/cassandra_test.c ../cassandra/keyspaces.c LABEL contract CLUSTER
    TIMEOUT 900 USES order_store_contract orderly_order_store_cassandra)
endif()
