# What several test programs share: faults on demand, and a whole installation on the embedded adapters.
add_library(orderly_test_rig STATIC faults.c faulty_store.c faulty_cache.c faulty_log.c rig.c rig_look.c verdicts.c)
target_include_directories(orderly_test_rig PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(orderly_test_rig PUBLIC orderly_pipeline orderly_event_log_embedded
  orderly_order_store_embedded orderly_order_cache_memory)
if(ORDERLY_CASSANDRA)
  add_library(orderly_test_rig_cluster STATIC rig_cluster.c)
  target_link_libraries(orderly_test_rig_cluster PUBLIC orderly_test_rig orderly_event_log_kafka
    orderly_order_store_cassandra orderly_order_cache_redis)
endif()
