# One program for each part of src/base.
foreach(part status arena buffer clock random uuid metrics log)
  orderly_test(base_${part}_test SOURCES base_${part}_test.c USES orderly_base)
endforeach()
orderly_test(base_alloc_test SOURCES base_alloc_test.c USES orderly_base failing_alloc)
