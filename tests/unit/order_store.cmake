# What only the embedded order store promises: damaged data is noticed, limits hold, its codec takes any bytes.
orderly_test(order_store_corrupt SOURCES order_store_corrupt.c USES order_store_contract orderly_order_store_embedded)
orderly_test(order_store_codec_test SOURCES order_store_codec_test.c
  USES order_store_contract orderly_order_store_embedded)
