"""Makes the training prompts: what is asked (it decides the task) × a document (it does not) × where it
stands × how it is wrapped. Everything that does not decide the task appears under both.

    python prompts.py SOURCES.json.gz COUNT SEED OUT.jsonl

A line is {"text", "localization" (the probability to learn: 1, 0, or 0.5 for a text in another
language), "kind"}. Only the beginning and the end of a text are read, so the middle of a long one is
cut out. The same arguments give the same file on every machine.
"""

import argparse
import gzip
import json
import multiprocessing
import random as random_module
from pathlib import Path

from documents import Writer
from few_shot import FewShot
from grammar import Grammar

PROVIDED = {"doc", "the_doc", "phrase", "name", "word", "who", "question", "statement", "units", "unit",
            "and_question"}
READ_CHARACTERS = 2600  # more than 255 word pieces take, at either end
CHUNK = 250  # prompts that one seed makes


class Phrases(dict):
    """What a grammar is given: the document's mentions, a new phrase each time one is asked for."""

    def __init__(self, mentions, phrase):
        super().__init__(mentions)
        self._phrase = phrase

    def __contains__(self, rule):
        return rule == "phrase" or super().__contains__(rule)

    def __getitem__(self, rule):
        return self._phrase() if rule == "phrase" else super().__getitem__(rule)


class PromptMaker:
    """Draws prompts. `random` is a random.Random that nothing else uses."""

    def __init__(self, grammar, sources, random):
        self._grammar = grammar
        self._writer = Writer(grammar, sources)
        self._few_shot = FewShot(self._writer)
        self._foreign = sources["foreign"]
        self._random = random

    def draw(self, localization):
        kind, text = self._localization() if localization else self._aggregation()
        return kind, self._wrap(text)

    # What looks something up.

    def _localization(self):
        return self._pick([
            (36, self._question), (19, self._choice), (8, self._claim), (15, self._extract),
            (15, self._conversation), (4, self._closed_book), (4, self._after_history)])

    def _question(self):
        document = self._any_document(several=0.5)
        given = self._given(document)
        asked = self._say("look_up_question", given)
        if self._chance(0.15):
            asked += " " + self._say("look_up_question", given)
        return "question", self._place(document, given, self._lead(given, "answer_from"),
                                       self._asked(asked))

    def _choice(self):
        document = self._any_document(several=0.1)
        given = self._given(document)
        stem = self._say("stem", given)
        if self._chance(0.2):
            stem = f"Question {self._random.randint(1, 20)}. {stem}"
        options = self._options(document)
        mark = self._random.choice(["A.", "(A)", "a)", "1)", "A)", "[A]", "A:"])
        lines = [mark.replace("A", chr(65 + i)).replace("a", chr(97 + i)).replace("1", str(i + 1)) + " "
                 + option for i, option in enumerate(options)]
        body = stem + self._random.choice(["\n", "\n", "\nOptions:\n", "\nChoices:\n", "\n\n",
                                           "\nAnswer choices: "]
                                          ) + self._random.choice(["\n", "\n", " \n ", " "]).join(lines)
        ask = self._random.choice(["", "", "Pick the right option.", "Choose one.", "Select the best "
                                   "answer.", "Give only the letter.", "Which option is correct?",
                                   "More than one option may apply.", "Mark the correct choice."])
        body = f"{ask}\n{body}" if self._chance(0.4) else f"{body}\n{ask}"
        return "choice", self._place(document, given, self._lead(given, "answer_from"),
                                     self._asked(body.strip()))

    def _options(self, document):
        kind = self._random.random()
        count = self._random.choice([3, 4, 4, 4, 5])
        if kind < 0.35:
            rules = ["person", "town", "number", "topic", "organization", "adjective", "thing"]
            rule = self._random.choice(rules)
            return [self._say(rule, {}) for _ in range(count)]
        if kind < 0.75:
            starts = ["To ", "It is ", "They wanted ", "Because ", "By using ", "He feels that ",
                      "It shows ", "The fact that ", "", "", "A higher ", "Lower "]
            return [self._random.choice(starts) + self._writer.phrase(self._random, document) + " "
                    + self._random.choice(["", "and ", "for ", "without ", "of "])
                    + self._writer.phrase(self._random, document) for _ in range(count)]
        rule = self._random.choice(["news", "story", "paper", "lecture", "encyclopedia"])
        return [self._say(rule, {}) for _ in range(count)]

    def _claim(self):
        document = self._any_document(several=0.1)
        given = self._given(document)
        return "claim", self._place(document, given, self._lead(given, "answer_from"),
                                    self._asked(self._say("claim_check", given)))

    def _extract(self):
        genres = ["contract", "contract", "contract", "report", "wiki", "paper", "patent", "table", "manual",
                  "support", "mail", "story", "code", "notes", "encyclopedia", "wire"]
        document = self._document(genres)
        given = self._given(document)
        return "extract", self._place(document, given, self._lead(given, "neutral"),
                                      self._asked(self._say("extraction", given)))

    def _conversation(self):
        """A user's turn about pages, a caller's question."""
        genre = self._random.choice(["support", "support", "faq", "call", "call", "call", "call", "manual",
                                     "lecture", "wiki", "script", "story"])
        document = (self._several([genre]) if genre == "support" and self._chance(0.6)
                    else self._document([genre]))
        given = self._given(document)
        rule = {"call": self._random.choice(["analyst_question", "analyst_question", "look_up_question"]),
                "script": "look_up_question", "story": "look_up_question"}.get(
                    genre, "conversational_question")
        asked = self._say(rule, given)
        if self._chance(0.35):
            asked = self._say("role", given) + " " + asked
        return "conversation", self._place(document, given, self._lead(given, "neutral"),
                                           self._asked(asked))

    def _closed_book(self):
        return "closed_book", self._random.choice(
            ["", "", "Answer this question. ", "Short factual question: ", "I want to know: "]
        ) + self._asked(self._say("closed_book", {}))

    def _after_history(self):
        """A chat that ends with a question about something said in it."""
        user, assistant = self._random.choice([("User", "Assistant"), ("Human", "AI"), ("Me", "Bot"),
                                               ("USER", "ASSISTANT"), ("Customer", "Agent")])
        document = self._document(["wiki", "support", "manual", "faq", "encyclopedia", "wire"])
        given = self._given(document)
        turns = [f"{user}: {self._say('conversational_question', given)}",
                 f"{assistant}: {document.text}"]
        for _ in range(self._random.randint(0, 3)):
            turns += [f"{user}: {self._say('chat', {})}", f"{assistant}: {self._say('support', {})}"]
        turns.append(f"{user}: {self._say('conversational_question', given)}")
        return "history", "\n".join(turns + [f"{assistant}:"] * self._chance(0.6))

    # What gathers something over the whole text.

    def _aggregation(self):
        return self._pick([
            (18, self._summary), (19, self._query_summary), (7, self._opinions), (8, self._writing),
            (4, self._transform), (28, self._examples), (6, self._count), (6, self._which),
            (2, self._recall), (9, self._code)])

    def _summary(self):
        document = self._any_document(several=0.3)
        return "summary", self._gather(document, "summarize")

    def _query_summary(self):
        document = self._document(["meeting"] if self._chance(0.85) else ["chat", "talk", "mail"])
        return "query_summary", self._gather(document, "query_summary")

    def _opinions(self):
        document = self._document(["review", "review", "film"])
        return "opinions", self._gather(document, "opinion_summary")

    def _writing(self):
        return "writing", self._gather(self._any_document(several=0.15), "writing")

    def _transform(self):
        return "transform", self._gather(self._any_document(several=0.05), "transform")

    def _gather(self, document, rule):
        given = self._given(document)
        asked = self._say(rule, given)
        if self._chance(0.12):
            asked += " " + self._say(rule, given)
        if self._chance(0.2):
            asked = self._say("role", given) + " " + asked
        lead = self._lead(given, "answer_from" if self._chance(0.3) else "neutral")
        cue = self._random.choice(["Summary", "Overview", "Answer", "Your text"])
        return self._place(document, given, lead, self._asked(asked, cue))

    def _examples(self):
        return self._few_shot.draw(self._random, self._words())

    def _count(self):
        unit, text, _ = self._units(repeat=True)
        document = self._document(["notes"])
        document.text, document.noun = text, unit + "s"
        given = self._given(document)
        given.update(unit=unit, units=unit + "s")
        return "count", self._place(document, given, self._lead(given, "neutral"),
                                    self._asked(self._say("count", given)))

    def _which(self):
        unit, text, parts = self._units(repeat=False)
        document = self._document(["notes"])
        document.text, document.noun = text, unit + "s"
        given = self._given(document)
        given.update(unit=unit, units=unit + "s")
        self._grammar.expand(self._random, "extract", given)
        given["extract"] = self._say("extract", {})
        asked = self._say("which_unit", given)
        quoted = " ".join(self._random.choice(parts).split()[:self._random.randint(10, 50)])
        label = given["extract"].capitalize()
        body = self._random.choice([f"{asked}\n\n{label}: {quoted}", f"{label}:\n{quoted}\n\n{asked}",
                                    f"The {given['extract']}: {quoted}\n\n{asked}"])
        return "which", self._place(document, given, self._lead(given, "neutral"), self._asked(body))

    def _recall(self):
        user, assistant = self._random.choice([("User", "Assistant"), ("USER", "ASSISTANT"), ("Me", "Bot")])
        turns = []
        for _ in range(self._random.randint(3, 9)):
            start = self._random.choice(["Let us talk about", "I would like to discuss", "Next topic:",
                                         "Can we now turn to"])
            turns += [f"{user}: {start} {self._say('topic', {})}.",
                      f"{assistant}: {self._random.choice(['Sure!', 'Gladly.', 'Of course.'])} "
                      + self._document(["story", "encyclopedia", "report"], most=60).text]
        asked = self._say("recall_topic", {})
        return "recall", "\n".join(turns + [f"{user}: {asked}"] + [f"{assistant}:"] * self._chance(0.5))

    def _code(self):
        parts = [self._document(["code"]).text for _ in range(self._random.choice([1, 1, 1, 2, 3]))]
        head = self._random.choice(["# Path: {}.py\n", "// File: {}\n", "### {}\n", ""])
        if len(parts) > 1:
            parts = [head.format(self._say("adjective", {})) + part for part in parts]
        text = "\n\n".join(parts)
        if self._chance(0.4):
            text = text[:-self._random.randint(1, min(60, max(2, len(text) // 4)))]
        if self._chance(0.25):
            return "code", text
        if self._chance(0.15):
            asked = self._asked(self._say("run_code", {}))
            return "code", self._random.choice([f"{text}\n\n{asked}", f"{asked}\n\n{text}"])
        cue = self._say("next_line_cue", {})
        return "code", f"{self._say('complete_code', {})}\n{text}" + (f"\n{cue}" if cue else "")

    def _units(self, repeat):
        """A text of numbered parts, some of them twice when `repeat`."""
        unit = self._random.choice(["Paragraph", "Note", "Message", "Snippet", "Record", "Section", "Passage",
                                    "Document", "Fragment"])
        genres = ["wiki", "wire", "story", "encyclopedia", "review", "report", "news"]
        parts = [self._document(genres, most=90).text for _ in range(self._random.randint(4, 12))]
        shown = parts + (self._random.sample(parts, self._random.randint(1, 4)) if repeat else [])
        if repeat:
            self._random.shuffle(shown)
        text = "\n\n".join(f"{unit} {number}: {part}" for number, part in enumerate(shown, 1))
        return unit.lower(), text, parts

    # A text in another language: nothing to learn but doubt.

    def foreign(self):
        language = self._random.choice(sorted(self._foreign))
        lines = "\n".join(self._random.choices(self._foreign[language],
                                               k=self._random.randint(1, 25))).split("\n")
        self._random.shuffle(lines)
        text = self._random.choice([" ", "\n"]).join(lines)
        return f"foreign/{language}", self._wrap(text)

    # Parts of a prompt.

    def _pick(self, weighted):
        return self._random.choices([make for _, make in weighted], [w for w, _ in weighted])[0]()

    def _chance(self, probability):
        return self._random.random() < probability

    def _say(self, rule, given):
        text = self._grammar.expand(self._random, rule, given)
        return text[:1].upper() + text[1:] if self._chance(0.9) else text

    def _words(self):
        kind = self._random.random()
        if kind < 0.3:
            return self._random.randint(15, 110)
        return self._random.randint(110, 300) if kind < 0.6 else self._random.randint(300, 700)

    def _document(self, genres, most=None):
        words = self._words()
        return self._writer.document(self._random, min(words, most) if most else words, genres)

    def _several(self, genres=None):
        return self._writer.several(self._random, self._words() + 150, genres)

    def _any_document(self, several):
        if self._chance(several):
            return self._several()
        document = self._writer.document(self._random, self._words())
        # A question about a meeting mostly asks for what was said on a matter: few of them here.
        if document.genre in ("meeting", "chat") and self._chance(0.6):
            return self._writer.document(self._random, self._words())
        return document

    def _given(self, document):
        return Phrases(self._writer.mentions(self._random, document),
                       lambda: self._writer.phrase(self._random, document))

    def _lead(self, given, rule):
        """What comes first; it announces a document and may say how to go about it."""
        parts = []
        if self._chance(0.5):
            parts.append(self._say("lead", given))
        if self._chance(0.55):
            parts.append(self._say(rule if self._chance(0.6) else "neutral", given))
        if self._chance(0.3):
            parts += [self._say("style", given) for _ in range(self._random.randint(1, 2))]
        return "" if self._chance(0.15) else " ".join(parts)

    def _asked(self, text, cue="Answer"):
        """The question or instruction, with a cue before and after it now and then."""
        if self._chance(0.35):
            style = " ".join(self._grammar.expand(self._random, "style", {"doc": "text"})
                             for _ in range(self._random.choice([1, 1, 2])))
            text += self._random.choice([" ", "\n", "  ", ". "]) + style
        if self._chance(0.08):
            text = text.lower()
        before = self._random.choice(["", "", "", "Question: ", "Instruction: ", "Q: ", "Query: ", "Task: ",
                                      "Question:\n", "Request: ", "User: ", "My question: "])
        after = self._random.choice(["", "", "", "", f"\n{cue}:", f"\n\n{cue}:", "\nAnswer:", "\nA:",
                                     "\nOutput:", "\nResponse:", "\nResult:", "\nFinal answer:",
                                     "\nThe answer is", "\nReply:"])
        return before + text + after

    def _place(self, document, given, lead, asked):
        """The document with what is asked before, after or around it."""
        frame = self._random.choice(["{}", "{}", "{}", "{}\n", document.noun.capitalize() + ":\n{}",
                                     "Context: {}", "Text: {}", '"""\n{}\n"""', "<text>\n{}\n</text>", "---\n{}\n---",
                                     "Document is as follows. {}", "[{}]", document.noun.upper() + "\n{}"])
        text = frame.replace("{}", document.text)
        gap = self._random.choice(["\n\n", "\n\n", "\n", " ", "\n\n\n"])
        kind = self._random.random()
        if kind < 0.34:
            parts = [lead, text, asked]
        elif kind < 0.6:
            parts = [text, lead, asked]
        elif kind < 0.74:
            parts = [lead, asked, text]
        elif kind < 0.86:
            parts = [lead, text, lead, asked]
        elif kind < 0.94:
            parts = [asked, text, asked]
        else:
            parts = [text, asked]
        return gap.join(part for part in parts if part)

    def _wrap(self, text):
        """The text as chat formats wrap it."""
        if self._chance(0.55):
            return text
        system = self._say("system_prompt", {})
        return self._random.choice([
            f"User: {text}\nAssistant:", f"### Instruction:\n{text}\n\n### Response:\n",
            f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n"
            "<|im_start|>assistant\n",
            f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            f"[INST] {text} [/INST]", f"[INST]<<SYS>>\n{system}\n<</SYS>>\n\n{text}[/INST]",
            f"[INST]<<SYS>>\n{system}\n<</SYS>>\n\n{text} [/INST]\nAnswer:",
            f"Human: {text}\n\nAssistant:", f"{system}\n\n{text}", f"<s>{text}</s>"])


def shorten(text):
    """Leaves out what is read neither as beginning nor as end."""
    if len(text) <= 2 * READ_CHARACTERS:
        return text
    return text[:READ_CHARACTERS] + text[-READ_CHARACTERS:]


_grammar, _sources = None, None


def _load(sources):
    global _grammar, _sources  # one copy for each process
    _grammar = Grammar(Path(__file__).parent / "grammar")
    _grammar.check(PROVIDED)
    with gzip.open(sources, "rt", encoding="utf-8") as file:
        _sources = json.load(file)


def _chunk(task):
    seed, number, count = task
    maker = PromptMaker(_grammar, _sources, random_module.Random(f"{seed}/{number}"))
    rows = []
    for index in range(count):
        if index % 25 == 24:
            kind, text = maker.foreign()
            localization = 0.5
        else:
            localization = float(index % 2)
            kind, text = maker.draw(localization == 1)
        rows.append({"text": shorten(text), "localization": localization, "kind": kind})
    return rows


def make(sources, count, seed, processes=None):
    """`count` prompts in order, made by several processes."""
    tasks = [(seed, begin // CHUNK, min(CHUNK, count - begin)) for begin in range(0, count, CHUNK)]
    with multiprocessing.Pool(processes, _load, (str(sources),)) as pool:
        for rows in pool.imap(_chunk, tasks):
            yield from rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    with open(arguments.out, "w", encoding="utf-8") as file:
        for row in make(arguments.sources, arguments.count, arguments.seed):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
