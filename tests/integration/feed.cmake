# The feed on the embedded event log.
orderly_test(feed_test SOURCES feed_test.c USES orderly_test_rig orderly_feed LABEL integration)
