"""A real Prometheus scrapes the three servers: what it says is what the clients' receipts say."""

import collections
import json
import tempfile
import unittest

import demo
import queries

# A situation that the demo does not produce: the query is right and has nothing to return.
MAY_BE_EMPTY = (
    "rule Windowkv",  # alerts: all is well
    "rule namespace_model:windowkv_requests_running:gain",  # at a moment at which nothing runs
)
PROMPT_CHARACTERS = 20000
REQUESTS = [
    ("full", []),
    ("windowkv", ["--budget-tokens", "64"]),
    ("windowkv", ["--budget-tokens", "256"]),
    ("snapkv", ["--budget-tokens", "128"]),
    ("streaming_llm", ["--budget-tokens", "128"]),
    ("h2o", ["--budget-tokens", "128"]),
]
TASKS = {"TASK_LOCALIZATION": "localization", "TASK_AGGREGATION": "aggregation"}


def ask_everything(it):
    """Sends the requests, returns their receipts by (policy, task)."""
    document = (demo.ROOT / "tests/golden/data/example_document.txt").read_text()
    receipts = collections.defaultdict(list)
    for policy, flags in REQUESTS:
        prompt = document[:PROMPT_CHARACTERS] + "\n\nWhat is the access code for the Pedemouth vault?"
        receipt = it.generate(prompt, "--policy", policy, *flags)
        receipts[policy, TASKS[receipt["task"]]].append(receipt)
    # Its task is said by the client, and everything fits the budget.
    receipt = it.generate("Summarize: nothing.", "--policy", "windowkv", "--task", "aggregation")
    receipts["windowkv", "aggregation"].append(receipt)
    return receipts


class LiveMetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        work = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.it = cls.enterClassContext(demo.demo(work))
        # Counters have been seen at their start, so that a rate sees what comes.
        demo.wait_for("a first scrape of all", lambda: len(cls.it.query("up == 1")) == 3)
        cls.receipts = ask_everything(cls.it)
        count = sum(len(of_one) for of_one in cls.receipts.values())
        for metric in ("windowkv_request_success_total", "windowkv_router_requests_total"):
            demo.wait_for(
                f"{count} requests in {metric}",
                lambda metric=metric: cls.it.query(f"sum({metric}) == {count}"),
            )

    def by_policy_and_task(self, metric):
        result = self.it.query(f"sum by (policy, task) ({metric}) > 0")
        return {(one["metric"]["policy"], one["metric"]["task"]): float(one["value"][1]) for one in result}

    def sums(self, of_receipt):
        sums = {key: sum(map(of_receipt, receipts)) for key, receipts in self.receipts.items()}
        return {key: value for key, value in sums.items() if value}

    def test_saved_bytes_are_those_of_the_receipts_to_the_byte(self):
        saved = self.sums(lambda receipt: int(receipt["bytes_full"]) - int(receipt["bytes_kept"]))
        self.assertGreater(len(saved), 3)
        self.assertEqual(self.by_policy_and_task("windowkv_kv_saved_bytes_total"), saved)

    def test_full_bytes_are_those_of_the_receipts_to_the_byte(self):
        full = self.sums(lambda receipt: int(receipt["bytes_full"]))
        self.assertEqual(self.by_policy_and_task("windowkv_kv_full_bytes_total"), full)

    def test_kept_fractions_are_those_of_the_receipts(self):
        kept = self.sums(lambda receipt: int(receipt["bytes_kept"]) / int(receipt["bytes_full"]))
        sums = self.by_policy_and_task("windowkv_kv_kept_fraction_sum")
        self.assertEqual(sums.keys(), kept.keys())
        for key, value in kept.items():
            self.assertAlmostEqual(sums[key], value, places=9)

    def test_prefill_peaks_are_those_of_the_receipts(self):
        peaks = sum(int(one["bytes_prefill_peak"]) for of_one in self.receipts.values() for one in of_one)
        [result] = self.it.query("sum(windowkv_prefill_peak_bytes_sum)")
        self.assertEqual(float(result["value"][1]), peaks)

    def test_requests_that_kept_everything_are_counted(self):
        [result] = self.it.query("sum(windowkv_compression_kept_everything_total)")
        self.assertEqual(float(result["value"][1]), 1)

    def test_the_savings_of_what_ran_were_seen_and_are_over(self):
        self.assertTrue(self.it.query("sum(windowkv_kv_saved_now_bytes) == 0"))
        self.assertTrue(self.it.query("sum(windowkv_kv_held_bytes) == 0"))

    def test_every_request_has_one_line_with_its_phases(self):
        lines = [
            line
            for line in self.it.log("windowkv-generation").read_text().splitlines()
            if "level=info" in line and "request_id=" in line
        ]
        self.assertEqual(len(lines), sum(len(of_one) for of_one in self.receipts.values()))
        for line in lines:
            for key in ("policy=", "task=", "queued=", "prefill=", "decode=", "bytes_kept=", "ttft="):
                self.assertIn(f" {key}", line)

    def test_every_query_of_rules_consoles_and_dashboards_parses_and_returns_data(self):
        rules = json.loads(demo.get(self.it.prometheus + "/api/v1/rules"))
        all_queries = [*queries.of_rules(rules), *queries.of_consoles(), *queries.of_dashboards()]
        self.assertGreater(len(all_queries), 30)
        for name, expression in all_queries:
            with self.subTest(name, query=expression):
                result = self.it.query(expression)
                if not name.startswith(MAY_BE_EMPTY):
                    self.assertTrue(result)

    def test_no_rule_fails_when_it_is_evaluated(self):
        def rules():
            groups = json.loads(demo.get(self.it.prometheus + "/api/v1/rules"))["data"]["groups"]
            found = [rule for group in groups for rule in group["rules"]]
            return found if all(rule["health"] != "unknown" for rule in found) else None

        for rule in demo.wait_for("the rules to be evaluated", rules):
            self.assertEqual(rule["health"], "ok", rule.get("lastError"))


if __name__ == "__main__":
    demo.skip_without("prometheus")
    unittest.main()
