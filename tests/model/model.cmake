# Random commands and crashes against a plain model. MODEL_SEQUENCES=10000 and MODEL_SEED change the run.
orderly_test(model_test LABEL model TIMEOUT 900
  SOURCES model_test.c model_run.c model_round.c model_compare.c order_model.c
  USES orderly_test_rig)
if(ORDERLY_SANITIZE)
  target_compile_definitions(model_test PRIVATE SEQUENCES_DEFAULT=200)
endif()

# The same on real services of its own, which it kills. MODEL_CLUSTER_SEQUENCES=200 is the long run.
if(ORDERLY_CASSANDRA)
  add_executable(model_cluster_test
    model_cluster_test.c model_run.c model_round.c model_compare.c order_model.c)
  target_include_directories(model_cluster_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(model_cluster_test PRIVATE orderly_test_rig_cluster)
  target_compile_definitions(model_cluster_test PRIVATE
    ORDERLY_CLUSTER_LAUNCHER="${CMAKE_SOURCE_DIR}/deploy/local/cluster")
  set(model_cluster ${CMAKE_SOURCE_DIR}/deploy/local/cluster --dir ${CMAKE_BINARY_DIR}/cluster-model)
  add_test(NAME model_cluster_up COMMAND ${model_cluster} up --free-ports)
  add_test(NAME model_cluster_test COMMAND ${model_cluster} exec -- $<TARGET_FILE:model_cluster_test>)
  add_test(NAME model_cluster_down COMMAND ${model_cluster} wipe)
  set_tests_properties(model_cluster_up PROPERTIES FIXTURES_SETUP model_cluster LABELS "model;cluster" TIMEOUT 900)
  set_tests_properties(model_cluster_test PROPERTIES
    FIXTURES_REQUIRED model_cluster LABELS "model;cluster" TIMEOUT 3600)
  set_tests_properties(model_cluster_down PROPERTIES FIXTURES_CLEANUP model_cluster LABELS "model;cluster" TIMEOUT 120)
endif()
