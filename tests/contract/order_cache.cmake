# The order cache's contract: one suite, one program for each adapter.
add_library(order_cache_contract STATIC
  order_cache/order_cache_contract.c order_cache/order_cache_requests.c order_cache/order_cache_threads.c)
target_include_directories(order_cache_contract PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(order_cache_contract PUBLIC orderly_base PkgConfig::CMOCKA Threads::Threads)

orderly_test(order_cache_memory_test SOURCES order_cache/memory_test.c LABEL contract
  USES order_cache_contract orderly_order_cache_memory)

orderly_test(order_cache_redis_test SOURCES order_cache/redis_test.c LABEL contract CLUSTER TIMEOUT 300
  USES order_cache_contract orderly_order_cache_redis)
