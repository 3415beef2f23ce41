#!/usr/bin/env python3
"""The HTML report as a browser and a cautious reader see it, and the CSV held against the JSON.

Needs REPORT_SAMPLE, the program that writes sample results. Run alone:
REPORT_SAMPLE=build/release/tests/hotkey/report_sample python3 tests/hotkey/report_html_test.py
"""

import csv
import functools
import html.parser
import io
import json
import os
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

SAMPLES = ["plain", "frozen", "moved", "lost", "stampede", "late", "uniform", "hostile", "empty", "short", "day"]
SIZE_MAX = 3 << 20
VOID = {"meta"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
DASH = "\u2013"


@functools.lru_cache(maxsize=None)
def written(sample, form):
    return subprocess.run([os.environ["REPORT_SAMPLE"], sample, form], check=True, capture_output=True, timeout=120).stdout


@functools.lru_cache(maxsize=None)
def page(sample):
    """The report as a tree: it is XML too, so that a missing escape or end tag is an error."""
    text = written(sample, "html").decode("utf-8")
    head = "<!DOCTYPE html>\n"
    assert text.startswith(head)
    return ElementTree.fromstring(text[len(head):])


def classes(element):
    return element.get("class", "").split()


def with_classes(element, *wanted):
    return [each for each in element.iter() if set(wanted) <= set(classes(each))]


def text_of(element):
    return "".join(element.itertext())


def figure(sample, title):
    found = [each for each in page(sample).iter("figure") if text_of(each.find("figcaption/b")) == title]
    assert len(found) == 1, (title, len(found))
    return found[0]


def points(path):
    numbers = [float(number) for number in NUMBER.findall(path.get("d"))]
    return list(zip(numbers[::2], numbers[1::2]))


class Parser(html.parser.HTMLParser):
    """Tags opened and closed, as an HTML parser sees them."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append((tag, self.getpos()))


class Document(unittest.TestCase):
    def test_is_well_formed(self):
        for sample in SAMPLES:
            with self.subTest(sample):
                self.assertEqual(page(sample).tag, "html")
                parser = Parser()
                parser.feed(written(sample, "html").decode())
                parser.close()
                self.assertEqual((parser.open, parser.problems), ([], []))

    def test_runs_and_loads_nothing(self):
        allowed = {"default-src 'none'", "style-src 'unsafe-inline'", "base-uri 'none'", "form-action 'none'"}
        for sample in SAMPLES:
            with self.subTest(sample):
                text = written(sample, "html").decode()
                self.assertNotIn("<script", text.lower())
                self.assertNotRegex(text.lower(), r"https?:|javascript:|data:|@import")
                self.assertEqual(set(re.findall(r"url\(([^)]*)\)", text)), {"#hatch"})
                policy = [meta.get("content") for meta in page(sample).iter("meta") if meta.get("http-equiv")]
                self.assertEqual(len(policy), 1)
                self.assertEqual({part.strip() for part in policy[0].split(";")}, allowed)
                for element in page(sample).iter():
                    self.assertIn(element.tag, {
                        "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "h1", "h2", "p", "dl", "dt",
                        "dd", "div", "b", "span", "figure", "figcaption", "svg", "defs", "pattern", "desc", "path", "rect",
                        "circle", "text", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"})
                    for name in element.attrib:
                        self.assertFalse(name.startswith("on") or name in ("href", "src", "style", "action"), name)

    def test_hostile_texts_stay_texts(self):
        text = text_of(page("hostile").find("body"))
        self.assertIn('redis "><script>alert(1)</script>\ufffd[2J at 10.0.0.7:6379', text)
        self.assertIn("</style><img src=x>", text)
        self.assertNotRegex(written("hostile", "html").decode(), r"[\x00-\x09\x0b-\x1f\x7f]")

    def test_size_is_bounded(self):
        for sample in SAMPLES:
            self.assertLess(len(written(sample, "html")), SIZE_MAX, sample)

    def test_light_dark_and_print(self):
        style = page("plain").find("head/style").text
        self.assertIn("@media screen and (prefers-color-scheme:dark)", style)
        self.assertEqual(style.count("prefers-color-scheme"), 1, "dark must not reach paper")
        self.assertIn("@media print{", style)
        self.assertIn("break-inside:avoid", style)
        for media in re.findall(r"@media ([^{]*)", style):
            self.assertTrue(media.startswith(("screen", "print")), media)


class Plots(unittest.TestCase):
    def test_are_accessible(self):
        for sample in SAMPLES:
            with self.subTest(sample):
                ids = [element.get("id") for element in page(sample).iter() if element.get("id")]
                self.assertEqual(len(ids), len(set(ids)))
                for svg in page(sample).iter("svg"):
                    if svg.get("aria-hidden") == "true":
                        continue
                    self.assertEqual(svg.get("role"), "img")
                    title, desc = svg.get("aria-labelledby").split()
                    self.assertEqual((svg[0].tag, svg[0].get("id")), ("title", title))
                    self.assertEqual((svg[1].tag, svg[1].get("id")), ("desc", desc))
                    self.assertTrue(text_of(svg[0]).strip() and text_of(svg[1]).strip())

    def test_stay_in_their_frames(self):
        for sample in SAMPLES:
            with self.subTest(sample):
                for svg in page(sample).iter("svg"):
                    if not svg.get("viewBox"):
                        continue
                    width, height = [float(number) for number in svg.get("viewBox").split()[2:]]
                    for path in svg.iter("path"):
                        self.assertRegex(path.get("d"), r"^[MLZ0-9. ]+$")  # no nan, no inf, no minus
                        for x, y in points(path):
                            self.assertTrue(0 <= x <= width and 0 <= y <= height, path.get("d")[:80])
                    for box in svg.iter("rect"):
                        x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
                        self.assertTrue(0 <= x and 0 <= y and x + w <= width + 0.2 and y + h <= height + 0.2, box.attrib)

    def test_a_freeze_is_marked_and_only_response_shows_it(self):
        for title in ["Hot clients.", "Normal clients."]:
            plot = figure("frozen", title)
            band, = with_classes(plot, "band", "frozen")
            left, right = float(band.get("x")), float(band.get("x")) + float(band.get("width"))
            self.assertAlmostEqual(left, 66 + (1000 - 66 - 166) * 0.4, delta=1)
            self.assertAlmostEqual(right, 66 + (1000 - 66 - 166) * 0.6, delta=1)
            self.assertIn("stood still for 1.00 s", text_of(plot))
            service = max(with_classes(plot, "line", "dashed"), key=lambda path: len(path.get("d")))
            response = max((path for path in with_classes(plot, "line") if "dashed" not in classes(path)),
                           key=lambda path: len(path.get("d")))
            top = min(points(response), key=lambda point: point[1])
            self.assertTrue(left <= top[0] <= right)
            self.assertLess(top[1], min(y for _, y in points(service)) - 80)
            self.assertIn("response p99", text_of(plot))
            self.assertIn("service p99", text_of(plot))
            self.assertIn("100 ms", text_of(plot), "the axis is logarithmic")

    def test_both_classes_share_one_scale(self):
        ticks = [[text_of(each) for each in with_classes(figure("stampede", title), "tick", "end")]
                 for title in ["Hot clients.", "Normal clients."]]
        self.assertEqual(ticks[0], ticks[1])

    def test_percentiles_have_their_axis_and_four_curves(self):
        plot = figure("plain", "Percentiles of the whole run.")
        ticks = [text_of(each) for each in with_classes(plot, "tick", "middle")]
        self.assertEqual(ticks[:6], ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"])
        places = [float(each.get("x")) for each in with_classes(plot, "tick", "middle")]
        for before, after in zip(places[2:], places[3:]):  # each nine is as wide as the one before
            self.assertAlmostEqual(after - before, places[2] - places[0], delta=0.11)
        curves = [path for path in with_classes(plot, "line") if len(points(path)) > 10]
        self.assertEqual(len(curves), 4)
        for curve in curves:
            heights = [y for _, y in points(curve)]
            self.assertEqual(heights, sorted(heights, reverse=True), "a percentile never falls")
        for label in ["hot, response", "hot, service", "normal, response", "normal, service"]:
            self.assertIn(label, [text_of(each) for each in with_classes(plot, "label")])

    def test_failed_and_dropped_are_shown_where_there_are_any(self):
        for sample, shown in [("plain", {"done", "offered"}), ("lost", {"done", "offered", "failed", "dropped"}),
                              ("late", {"done", "offered", "dropped"})]:
            labels = {text_of(each) for each in with_classes(figure(sample, "Operations per second."), "label")}
            self.assertEqual(labels, shown, sample)

    def test_the_hottest_key_over_time(self):
        names = [text_of(each) for each in figure("moved", "The hottest key of each second.").iter("title")]
        leaders = ["key 0", "key 7", "key 14", "key 21", "key 28", "key 35"]
        self.assertEqual(names[1:], leaders + leaders)
        boxes = list(figure("moved", "The hottest key of each second.").iter("rect"))
        begins = [(float(box.get("x")) - 66) / (1000 - 66 - 166) * 30 for box in boxes]
        for begin, second in zip(begins, [0, 5, 10, 15, 20, 25, 0, 6, 11, 16, 21, 26]):  # named one second later
            self.assertAlmostEqual(begin, second, delta=0.01)
        self.assertEqual(len({box.get("y") for box in boxes}), 2)

    def test_keys_found_against_true(self):
        scores = {}
        for tick in json.loads(written("moved", "json"))["seconds"]:
            for side in ["truth", "found"]:
                for entry in tick["detection"][side]:
                    if entry["count"] < tick["detection"]["operations"] / 100:
                        continue  # one of the first ten, and not above the line
                    scores.setdefault(entry["key"], {"truth": 0, "found": 0})[side] += entry["count"]
        shown = figure("moved", "Keys found against true.")
        texts = [text_of(each) for each in shown.iter("text")]
        self.assertEqual(len([text for text in texts if text.startswith("key ")]), len(scores))
        for key, score in sorted(scores.items(), key=lambda item: -item[1]["truth"])[:10]:
            at = texts.index(f"key {key}")
            self.assertEqual(texts[at + 1:at + 3], [f"{score['truth']:,}", f"{score['found']:,}" if score["found"] else DASH])

    def test_accesses_add_up(self):
        result = json.loads(written("moved", "json"))
        texts = [text_of(each) for each in figure("moved", "Accesses by key.").iter("text")]
        counts = [int(text.split(" \u00b7 ")[0].replace(",", "")) for text in texts[1::2]]
        self.assertEqual(len(counts), 21)
        self.assertEqual(counts[:20], [entry["count"] for entry in result["accesses"][:20]])
        self.assertEqual(sum(counts), sum(entry["count"] for entry in result["accesses"]))
        self.assertEqual(texts[40], "980 others")

    def test_what_is_not_known_is_said(self):
        for title in ["Memory of the hot key.", "Hot clients.", "Accesses by key.", "How right the detector was."]:
            plot = figure("empty", title)
            self.assertEqual(len(with_classes(plot, "none")), 1)
            self.assertEqual(len(list(plot.iter("svg"))), 0)
        self.assertEqual(len(with_classes(figure("uniform", "How right the detector was."), "none")), 1)
        for sample in SAMPLES:
            self.assertNotRegex(text_of(page(sample).find("body")).lower(), r"\b(nan|inf)\b|-1\b")

    def test_a_day_keeps_its_extremes(self):
        plot = figure("day", "Hot clients.")
        curve = max((path for path in with_classes(plot, "line", "hot") if "dashed" not in classes(path)),
                    key=lambda path: len(path.get("d")))
        self.assertLessEqual(len(points(curve)), 2 * 480)
        self.assertLess(min(y for _, y in points(curve)), 60, "a freeze of 12 s in 24 h is still there")
        self.assertEqual(len(with_classes(plot, "band", "frozen")), 1)
        self.assertIn("12 h", text_of(plot))


class Words(unittest.TestCase):
    def test_the_verdict_is_on_top(self):
        for sample in SAMPLES:
            with self.subTest(sample):
                verdict = with_classes(page(sample), "verdict")[0]
                told = text_of(verdict).replace("\u00a0", " ")
                self.assertEqual(told, written(sample, "verdict").decode())
                self.assertEqual("bad" in classes(verdict), sample == "lost")

    def test_tiles(self):
        def tiles(sample):
            return {text_of(tile.find("dt")): text_of(tile.find("dd/b")) for tile in with_classes(page(sample), "tile")}
        frozen, empty = tiles("frozen"), tiles("empty")
        self.assertEqual(len(frozen), 8)
        self.assertEqual(frozen["Hot clients, response p99"], "903 ms")
        self.assertEqual(frozen["Operations per second"], "1,000")
        self.assertEqual(frozen["Hottest key"], "key 0")
        for name in ["Hot clients, response p99", "Operations per second", "Hottest key", "Hit ratio", "Server CPU"]:
            self.assertEqual(empty[name], DASH, name)
        self.assertEqual(tiles("uniform")["Hot keys named (recall)"], DASH)

    def test_every_parameter_and_the_command(self):
        for sample in ["frozen", "moved", "late"]:
            result = json.loads(written(sample, "json"))
            rows = {}
            for row in with_classes(page(sample), "parameters")[0].iter("tr"):
                cells = [text_of(cell) for cell in row]
                rows[cells[0]] = cells[1:]
            del rows["Parameter"]
            self.assertEqual(set(rows), set(result["config"]))
            for name, (value, _, text) in rows.items():
                expected = result["config"][name]
                self.assertEqual(type(expected)(value), expected, name)
                self.assertGreater(len(text), 20, name)
            self.assertEqual(text_of(page(sample).find(".//pre/code")), result["command"])
            self.assertIn(f"seed {result['config']['seed']}", text_of(with_classes(page(sample), "about")[0]))

    def test_about(self):
        about = text_of(with_classes(page("frozen"), "about")[0])
        result = json.loads(written("frozen", "json"))
        for part in [result["target"], result["target_policy"], result["run_id"], result["end_text"], "2026-11-22 20:27:07 UTC"]:
            self.assertIn(part, about)
        self.assertIn("Orderly 0.1.0", text_of(page("frozen").find(".//footer")))

    def test_tables_of_times_and_counts(self):
        times, counts = with_classes(page("empty"), "figures")
        self.assertEqual([text_of(cell) for cell in list(times.iter("tr"))[1]], ["Hot, response", "0"] + [DASH] * 7)
        self.assertEqual([text_of(cell) for cell in list(counts.iter("tr"))[1]], ["Hot"] + ["0"] * 9)
        totals = json.loads(written("frozen", "json"))["totals"]
        _, counts = with_classes(page("frozen"), "figures")
        shown = [text_of(cell) for cell in list(counts.iter("tr"))[2]]
        self.assertEqual(shown[1], f"{totals['normal']['offered']:,}")


class Csv(unittest.TestCase):
    def rows(self, sample):
        text = written(sample, "csv").decode("utf-8")
        self.assertTrue(text.endswith("\r\n"))
        self.assertEqual(text.count("\n"), text.count("\r\n"))
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))

    def test_every_cell_is_that_of_the_json(self):
        for sample in ["plain", "lost", "moved", "stampede", "short", "empty"]:
            head, *rows = self.rows(sample)
            self.assertEqual(len(head), len(set(head)))
            ticks = json.loads(written(sample, "json"))["seconds"]
            self.assertEqual(len(rows), len(ticks))
            for row, tick in zip(rows, ticks):
                self.assertEqual(len(row), len(head))
                for name, cell in zip(head, row):
                    self.check(name, cell, self.expected(name, tick))

    def expected(self, name, tick):
        """By the column's name: hot_response_p99_ms is ["hot"]["response"]["p99_ms"]."""
        alone = {"found_first": ("detection", "found"), "true_first": ("detection", "truth")}
        if name in alone:
            entries = tick[alone[name][0]][alone[name][1]]
            return entries[0]["key"] if entries else None
        if name.startswith("hot_key"):
            member = name[len("hot_key_"):] or "key"
            return tick["hot_key"][member] if tick["hot_key"] else None
        value, rest = tick, name
        while isinstance(value, dict):
            if rest in value:
                return value[rest]
            key = next(key for key in value if rest.startswith(key + "_"))
            value, rest = value[key], rest[len(key) + 1:]
        return value

    def check(self, name, cell, expected):
        if expected is None:
            self.assertEqual(cell, "", name)
        elif isinstance(expected, str):
            self.assertEqual(cell, expected, name)
        else:
            self.assertAlmostEqual(float(cell), expected, delta=0.000501 if name.endswith("_ms") else 0.000000501, msg=name)

    def test_foreign_texts_are_quoted_and_not_computed(self):
        head, *rows = self.rows("hostile")
        self.assertEqual(rows[3][head.index("target_error")], "'=cmd|' /C calc'!A0, \"x\" <b>?[31m?(??next")

    def test_a_day_has_every_second(self):
        lines = written("day", "csv").split(b"\r\n")
        self.assertEqual([line.partition(b",")[0] for line in lines[1:-1]], [b"%d" % second for second in range(86400)])


if __name__ == "__main__":
    unittest.main()
