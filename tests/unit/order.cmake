# The order model: one program for each part.
foreach(part model json input command event decide decide_replay)
  orderly_test(order_${part}_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/order_${part}_test.c USES orderly_order)
endforeach()
orderly_test(order_alloc_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/order_alloc_test.c USES orderly_order failing_alloc)
