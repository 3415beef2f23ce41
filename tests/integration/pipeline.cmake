# The pipeline on the embedded adapters: what it does, what it does when something fails, and who owns what.
foreach(part parts order replay fault owner limit)
  orderly_test(pipeline_${part}_test SOURCES pipeline_${part}_test.c USES orderly_test_rig LABEL integration)
endforeach()
