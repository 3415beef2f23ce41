# deploy/local/cluster itself. The tests start clusters of their own, and may have to fetch the services first.
foreach(name launcher_test launcher_rules_test)
  add_test(NAME ${name} COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/${name}.py)
  set_tests_properties(${name} PROPERTIES LABELS cluster TIMEOUT 900)
endforeach()
