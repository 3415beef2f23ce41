# What a run is told, its traffic, the detector; one program for each.
foreach(part histogram space_saving parameters schedule timeline traffic)
  orderly_test(hotkey_${part}_test SOURCES ${part}_test.c USES orderly_hotkey)
endforeach()
orderly_test(hotkey_core_alloc_test SOURCES core_alloc_test.c USES orderly_hotkey failing_alloc)

# What a touch of the detector costs; not a test, but it must not rot.
add_executable(lab_detector ${CMAKE_CURRENT_LIST_DIR}/../../bench/lab_detector.c)
target_link_libraries(lab_detector PRIVATE orderly_hotkey)
