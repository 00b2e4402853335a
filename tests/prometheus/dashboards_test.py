"""The Grafana dashboards: committed as generated, and complete. Their queries are run in live_metrics_test.py."""

import json
import re
import sys
import unittest

import demo

sys.path.insert(0, str(demo.ROOT / "deploy/grafana"))
import dashboards  # noqa: E402, found through the line above


class DashboardsTest(unittest.TestCase):
    def test_what_is_committed_is_what_the_generator_writes(self):
        for name, text in dashboards.files().items():
            committed = (demo.ROOT / "deploy/grafana" / name).read_text()
            self.assertEqual(committed, text, "write it anew: python3 deploy/grafana/dashboards.py")

    def test_every_panel_says_what_it_shows_in_which_unit(self):
        for name, text in dashboards.files().items():
            for panel in json.loads(text)["panels"]:
                with self.subTest(name, panel=panel["title"]):
                    self.assertTrue(panel["description"].endswith("."))
                    self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                    self.assertTrue(panel["targets"])

    def test_panels_do_not_overlap(self):
        for text in dashboards.files().values():
            taken = set()
            for panel in json.loads(text)["panels"]:
                place = panel["gridPos"]
                for x in range(place["x"], place["x"] + place["w"]):
                    for y in range(place["y"], place["y"] + place["h"]):
                        self.assertLess(x, 24)
                        self.assertNotIn((x, y), taken, panel["title"])
                        taken.add((x, y))

    def test_every_variable_in_a_query_is_declared_and_every_declared_one_used(self):
        for text in dashboards.files().values():
            board = json.loads(text)
            declared = {variable["name"] for variable in board["templating"]["list"]}
            self.assertLessEqual({"namespace", "model", "instance"}, declared)
            expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
            used = set(re.findall(r"\$([a-z]\w*)", " ".join(expressions)))
            self.assertEqual(used | {"datasource"}, declared)


if __name__ == "__main__":
    unittest.main()
