add_library(failing_alloc STATIC ${CMAKE_CURRENT_LIST_DIR}/failing_alloc.c)
target_include_directories(failing_alloc PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_options(failing_alloc INTERFACE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
