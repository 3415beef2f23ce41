# The lab as the service runs it, with a stand-in for the run's process.
add_library(lab_rig STATIC ${CMAKE_CURRENT_LIST_DIR}/lab_rig.c)
target_include_directories(lab_rig PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(lab_rig PUBLIC orderly_hotkey PkgConfig::CMOCKA)
set(stand_in ${CMAKE_CURRENT_LIST_DIR}/lab_stand_in.py)
orderly_test(hotkey_lab_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/lab_test.c USES lab_rig LABEL hotkey ARGS ${stand_in})
orderly_test(hotkey_lab_faults_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/lab_faults_test.c USES lab_rig LABEL hotkey ARGS ${stand_in})
orderly_test(hotkey_lab_history_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/lab_history_test.c
  ${CMAKE_CURRENT_LIST_DIR}/sample_result.c USES lab_rig LABEL hotkey ARGS ${stand_in})
