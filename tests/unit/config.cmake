orderly_test(config_test
  SOURCES config_test.c config_values_test.c config_dotenv_test.c
  USES orderly_config failing_alloc)
