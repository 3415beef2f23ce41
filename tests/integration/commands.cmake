add_test(NAME commands_test COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/commands_test.py)
set_tests_properties(commands_test PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT "ORDERLY_BINARY=${CMAKE_BINARY_DIR}/orderly;ORDERLY_WITH_CASSANDRA=${ORDERLY_CASSANDRA}")

if(ORDERLY_CASSANDRA)
  add_test(NAME cluster_test COMMAND ${ORDERLY_CLUSTER_EXEC} python3 ${CMAKE_CURRENT_LIST_DIR}/cluster_test.py)
  set_tests_properties(cluster_test PROPERTIES LABELS "integration;cluster" TIMEOUT 600 FIXTURES_REQUIRED cluster
    ENVIRONMENT "ORDERLY_BINARY=${CMAKE_BINARY_DIR}/orderly;ORDERLY_SANITIZED=${ORDERLY_SANITIZE}")
endif()
