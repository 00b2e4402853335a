"""The training prompts: the same from the same seed, both tasks alike in what does not decide them."""

import collections
import gzip
import json
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "classifier_service" / "training"))

import prompts  # noqa: E402
from few_shot import TASKS, Exercises  # noqa: E402
from grammar import Grammar  # noqa: E402
from random import Random  # noqa: E402

SOURCES = {
    "wiki": ["The town of Arden lies on a river. It has a Market Hall and two schools.\n" * 40],
    "wire": ["Police in Arden said on Monday that the old bridge had been closed. " * 30],
    "film": ["a quiet film about a loud family .", "too long by half ."],
    "talk": ["How are you?\nFine, thank you."],
    "manual": ["Returns the number of items in the box.\n\nParameters\n----------\nbox : Box\n" * 20],
    "code": [["boxes.py", "def count(box):\n    return len(box)\n\n" * 30]],
    "foreign": {"german": ["Wie geht es dir?\nGut, danke."], "french": ["Bonjour\nBonsoir"]},
}


class PromptsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._directory.cleanup)
        cls.sources = Path(cls._directory.name) / "sources.json.gz"
        with gzip.open(cls.sources, "wt", encoding="utf-8") as file:
            json.dump(SOURCES, file)
        cls.made = list(prompts.make(cls.sources, 2000, seed=5, processes=2))

    def test_the_same_seed_gives_the_same_prompts(self):
        self.assertEqual(self.made[:500], list(prompts.make(self.sources, 500, seed=5, processes=1)))

    def test_another_seed_gives_other_prompts(self):
        other = {prompt["text"] for prompt in prompts.make(self.sources, 250, seed=6, processes=1)}
        self.assertLess(len(other & {prompt["text"] for prompt in self.made}), 10)

    def test_both_tasks_are_as_frequent_and_some_prompts_are_in_other_languages(self):
        counts = collections.Counter(prompt["localization"] for prompt in self.made)
        self.assertEqual(counts[0.5], len(self.made) // 25)
        self.assertAlmostEqual(counts[1.0], counts[0.0], delta=len(self.made) // 20)

    def test_no_text_is_empty_or_longer_than_what_is_read(self):
        for prompt in self.made:
            self.assertTrue(prompt["text"].strip())
            self.assertLessEqual(len(prompt["text"]), 2 * prompts.READ_CHARACTERS)

    def test_no_rule_is_left_unexpanded(self):
        for prompt in self.made:
            self.assertNotRegex(prompt["text"], r"\{[a-z_]+:\d\}|\{(phrase|doc|name|topic|thing)\}")

    def test_what_does_not_decide_the_task_appears_under_both(self):
        for mark in ("Question:", "Answer:", "[INST]", "Answer the question", "Document is as follows",
                     "Let's think step by step", "Passage 1", "Instruction:"):
            shares = [sum(mark in prompt["text"] for prompt in self.made
                          if prompt["localization"] == label) for label in (0.0, 1.0)]
            self.assertGreater(min(shares), 0, mark)


class ExercisesTest(unittest.TestCase):
    def setUp(self):
        self.exercises = Exercises(Grammar(ROOT / "classifier_service" / "training" / "grammar"))

    def test_every_kind_gives_a_question_reasons_and_an_answer(self):
        for name in TASKS:
            question, reasoning, answer, wrong = self.exercises.kinds[name](Random(name))
            self.assertTrue(question and reasoning and answer and wrong, name)


class GrammarTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def grammar(self, text):
        (self.directory / "rules.txt").write_text(text, encoding="utf-8")
        return Grammar(self.directory)

    def test_a_number_binds_an_expansion(self):
        grammar = self.grammar("[a]\n{b:1}{b:1}\n[b]\n(x|y|z)\n")
        for seed in range(20):
            self.assertIn(grammar.expand(Random(seed), "a"), ("xx", "yy", "zz"))

    def test_a_backslash_keeps_a_bracket(self):
        self.assertEqual(self.grammar("[a]\n\\(one\\)\n").expand(Random(1), "a"), "(one)")

    def test_what_is_given_replaces_a_rule(self):
        self.assertEqual(self.grammar("[a]\n{b}\n[b]\nx\n").expand(Random(1), "a", {"b": "y"}), "y")

    def test_an_unknown_rule_is_named(self):
        with self.assertRaisesRegex(ValueError, "rule a mentions nothing, which is no rule"):
            self.grammar("[a]\n{nothing}\n").check(provided=set())

    def test_an_open_bracket_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "stays open"):
            self.grammar("[a]\n(x|y\n")


if __name__ == "__main__":
    unittest.main()
