# What a run measured, written: JSON, CSV, hgrm, text, HTML.
list(APPEND ORDERLY_HOTKEY_SOURCES result.c report_fields.c report_facts.c report_words.c report_verdict.c report_json.c
  report_csv.c report_text.c report_html.c report_html_tables.c report_html_time.c report_html_keys.c report_html_percentiles.c report_style.c
  report_plot.c svg.c svg_axis.c)
