# Random commands and crashes against a plain model. MODEL_SEQUENCES=10000 and MODEL_SEED change the run.
orderly_test(model_test LABEL model TIMEOUT 900
  SOURCES model_test.c model_run.c model_round.c model_compare.c order_model.c
  USES orderly_test_rig)
if(ORDERLY_SANITIZE)
  target_compile_definitions(model_test PRIVATE SEQUENCES_DEFAULT=200)
endif()
