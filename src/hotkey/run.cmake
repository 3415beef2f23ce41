# The run: traffic to a Redis and its measurement.
list(APPEND ORDERLY_HOTKEY_SOURCES resp.c redis_commands.c redis_transport.c slice.c worker.c worker_send.c worker_answer.c window.c
  window_score.c target.c target_private.c target_keys.c sampler.c sampler_read.c run.c run_prepare.c run_coordinate.c)
