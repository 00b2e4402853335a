"""Prometheus' configuration and rules, checked by promtool, the alerts' tests for completeness, and sums over time."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import queries

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy/prometheus"
ALERT_TESTS = ROOT / "tests/prometheus/alert_rules_test.yml"
MANUAL = ROOT / "docs/operating.md"
METRICS = ROOT / "docs/metrics.md"
SKIPPED = 77  # ctest shows it


def alerts():
    """Alert name → the text of its rule."""
    text = (DEPLOY / "alert_rules.yml").read_text()
    parts = re.split(r"^  - alert: (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


class RulesTest(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run(
            ["promtool", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
        )
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_configuration_is_valid_with_its_rules(self):
        self.promtool("check", "config", str(DEPLOY / "prometheus.yml"))

    def test_alerts_fire_when_they_should_and_not_otherwise(self):
        self.promtool("test", "rules", str(ALERT_TESTS))

    def test_every_alert_has_a_situation_in_which_it_fires(self):
        tests = ALERT_TESTS.read_text()
        for name in alerts():
            self.assertIn(f'alertname="{name}"', tests)

    def test_every_alert_says_what_it_means_where_to_look_and_what_to_do(self):
        self.assertGreater(len(alerts()), 10)
        for name, rule in alerts().items():
            for part in ("severity:", "summary:", "description:", "runbook: |", "Means:", "Look:", "Do:"):
                self.assertIn(part, rule, name)

    def test_the_manual_has_an_entry_for_every_alert_and_for_nothing_else(self):
        section = MANUAL.read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
        entries = re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]{20,} \| [^|]{20,} \|$", section, re.MULTILINE)
        severities = {
            name: re.search(r"severity: (\w+)", rule)[1] for name, rule in alerts().items()
        }
        self.assertEqual(dict(entries), severities)

    def test_what_a_pod_and_its_successor_saved_one_after_the_other_is_not_added_up(self):
        # A GiB in the last half of an hour, in which one takes the other's place.
        series = 'windowkv_kv_saved_now_bytes{namespace="n",model="m",instance="%s"}'
        dashboards = dict(queries.of_dashboards(range_s=3600))
        of_a_day = re.search(r"GiB-hours saved .*:\n`(.*)`\.", METRICS.read_text())[1]
        expected = {
            dashboards["memory_savings.json: Saved on average"]: 2**29,
            dashboards["memory_savings.json: Money saved in the time shown"]: 0.5 * 0.01,
            of_a_day: 0.5,
        }
        test = {
            "interval": "1m",
            "input_series": [
                {"series": series % "before", "values": f"_x31 {2**30}x14 stale"},
                {"series": series % "after", "values": f"_x46 {2**30}x14"},
            ],
            "promql_expr_test": [
                {"eval_time": "3630s", "expr": f"round({query}, 0.001)", "exp_samples": [{"labels": "{}", "value": value}]}
                for query, value in expected.items()
            ],
        }
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"tests": [test]}, file)
            file.flush()
            self.promtool("test", "rules", file.name)


if __name__ == "__main__":
    if shutil.which("promtool") is None:
        print("SKIPPED: promtool is not installed: deploy/install_dependencies.sh --checks")
        sys.exit(SKIPPED)
    unittest.main()
