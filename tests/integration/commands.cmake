add_test(NAME commands_test COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/commands_test.py)
set_tests_properties(commands_test PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT "ORDERLY_BINARY=${CMAKE_BINARY_DIR}/orderly")
