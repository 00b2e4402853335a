"""Prometheus' configuration and rules, checked by promtool, and the alerts' tests for completeness."""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy/prometheus"
ALERT_TESTS = ROOT / "tests/prometheus/alert_rules_test.yml"
MANUAL = ROOT / "docs/operating.md"
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


if __name__ == "__main__":
    if shutil.which("promtool") is None:
        print("SKIPPED: promtool is not installed: deploy/install_dependencies.sh --checks")
        sys.exit(SKIPPED)
    unittest.main()
