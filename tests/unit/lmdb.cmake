# The LMDB environment: committer, identity, room on disk, faults.
add_library(lmdb_fixture STATIC lmdb_fixture.c ../support/child.c)
target_include_directories(lmdb_fixture PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(lmdb_fixture PUBLIC orderly_lmdb PkgConfig::CMOCKA)
foreach(part commit)
  orderly_test(lmdb_${part}_test SOURCES lmdb_${part}_test.c USES lmdb_fixture)
endforeach()
