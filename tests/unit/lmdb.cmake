# The LMDB environment: committer, identity, room on disk, syncs that fail.
add_library(lmdb_fixture STATIC lmdb_fixture.c ../support/child.c)
target_include_directories(lmdb_fixture PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(lmdb_fixture PUBLIC orderly_lmdb PkgConfig::CMOCKA)
foreach(part commit identity space sync)
  orderly_test(lmdb_${part}_test SOURCES lmdb_${part}_test.c USES lmdb_fixture)
endforeach()

# Loaded before everything else, so it must not need a sanitizer's library.
add_library(lmdb_sync_shim MODULE ../support/sync_shim.c)
target_compile_options(lmdb_sync_shim PRIVATE -fno-sanitize=all)
target_link_options(lmdb_sync_shim PRIVATE -fno-sanitize=all)
target_link_libraries(lmdb_sync_shim PRIVATE ${CMAKE_DL_LIBS})
target_compile_definitions(lmdb_sync_test PRIVATE SYNC_SHIM="$<TARGET_FILE:lmdb_sync_shim>")
add_dependencies(lmdb_sync_test lmdb_sync_shim)
