# What a run measured, written: JSON, CSV, hgrm, text, the verdict, HTML; from results that a small model makes.
add_library(sample_result STATIC ${CMAKE_CURRENT_LIST_DIR}/sample_result.c)
target_include_directories(sample_result PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(sample_result PUBLIC orderly_hotkey)
foreach(part json text)
  orderly_test(hotkey_report_${part}_test SOURCES report_${part}_test.c USES sample_result)
endforeach()
orderly_test(hotkey_report_alloc_test SOURCES report_alloc_test.c USES sample_result failing_alloc)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_executable(report_sample ${CMAKE_CURRENT_LIST_DIR}/report_sample.c)
target_link_libraries(report_sample PRIVATE sample_result)
add_test(NAME hotkey_report_html_test
  COMMAND ${CMAKE_COMMAND} -E env REPORT_SAMPLE=$<TARGET_FILE:report_sample>
    ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/report_html_test.py)
set_tests_properties(hotkey_report_html_test PROPERTIES LABELS unit TIMEOUT 600)
