find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME includes_test COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/includes_test.py)
set_tests_properties(includes_test PROPERTIES LABELS unit TIMEOUT 60)
