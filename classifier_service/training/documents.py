"""The documents that training prompts are about: real and made-up text, questions about it, and the
names, phrases and speakers that instructions mention. A document does not decide the task.
"""

import re
from dataclasses import dataclass, field

NOUNS = {
    "wiki": "article passage text page entry document", "wire": "article report story news",
    "film": "reviews comments opinions sentences", "talk": "conversation dialogue exchange",
    "manual": "documentation manual text page document", "code": "code program file module",
    "story": "story novel chapter text excerpt passage book", "news": "article report news story",
    "encyclopedia": "passage text article paragraph document",
    "paper": "paper article study text manuscript abstract",
    "report": "report document text brief", "contract": "contract agreement document text",
    "meeting": "transcript meeting discussion minutes hearing debate",
    "call": "call transcript conference", "lecture": "lecture transcript lesson document",
    "chat": "chat conversation messages dialogue", "script": "script scene episode transcript",
    "review": "reviews comments feedback", "support": "page text document guide website",
    "patent": "patent text document application", "mail": "thread emails messages email",
    "notes": "notes log text file", "table": "table records list data", "faq": "page text FAQ",
}
REAL = ("wiki", "wire", "film", "talk", "manual", "code")
SPOKEN = ("meeting", "call", "chat", "script")
PROSE = ("story", "news", "encyclopedia", "paper", "report", "contract", "lecture", "support",
         "patent", "mail", "notes")
# How often each genre is drawn.
GENRES = {"wiki": 10, "wire": 8, "film": 3, "talk": 3, "manual": 7, "code": 3, "story": 8, "news": 4,
          "encyclopedia": 5, "paper": 9, "report": 6, "contract": 6, "meeting": 10, "call": 6,
          "lecture": 5, "chat": 4, "script": 5, "review": 7, "support": 6, "patent": 3, "mail": 3,
          "notes": 3, "table": 5, "faq": 3}


@dataclass
class Document:
    genre: str
    noun: str
    text: str
    questions: list = field(default_factory=list)  # (question, answer) pairs about facts in it
    statements: list = field(default_factory=list)  # the sentences of those facts
    speakers: list = field(default_factory=list)

    @property
    def plural(self):
        return self.noun.endswith("s")


class Writer:
    """Writes documents. Holds the grammar and the collected sources; the same random numbers give the
    same documents."""

    def __init__(self, grammar, sources):
        self.grammar = grammar
        self.sources = sources

    def document(self, random, words, genres=None):
        """A document of about `words` words, of one of `genres` or of any."""
        weights = {genre: GENRES[genre] for genre in genres or GENRES}
        genre = random.choices(list(weights), list(weights.values()))[0]
        noun = random.choice(NOUNS[genre].split())
        document = Document(genre, noun, "")
        if genre in REAL:
            document.text = self._real(random, genre, words)
            if genre in ("wiki", "wire") and random.random() < 0.3:
                self._put_facts_in(random, document, 1 + words // 200)
        elif genre in SPOKEN:
            self._write_turns(random, document, words)
        elif genre == "table":
            self._write_table(random, document, words)
        elif genre == "faq":
            self._add_facts(random, document, max(3, words // 25))
            pairs = zip(document.questions, document.statements)
            document.text = "\n\n".join(f"{question}\n{said}" for (question, _), said in pairs)
        elif genre == "review":
            document.text = self._reviews(random, words)
        else:
            document.text = self._prose(random, genre, words)
            self._put_facts_in(random, document, max(1, words // 80))
        if random.random() < 0.06:
            document.text = marked_up(random, document.text)
        return document

    def several(self, random, words, genres=None):
        """Between two and twelve documents with headings, as one document."""
        count = random.randint(2, 12)
        noun = random.choice("Document Passage Source Text Article Doc Excerpt File Item Page "
                             "Paragraph Section Reference".split())
        style = random.choice(["{n} {i}:\n{t}\n{d}", "{n} {i}:\n{t}\n{d}", "{n} {i}: {d}", "{n} {i}:\n{d}",
                               "[{i}] {t}: {d}", "## {n} {i}\n{d}", "### {t}\n{d}",
                               "<doc id={i}>\n{d}\n</doc>", "{n} ({i}) - {t}\n{d}", "=== {t} ===\n{d}",
                               "{n} {i} (Title: {t}) {d}", "{i}. {d}", "{n} [{i}]\nTitle: {t}\n{d}",
                               "{d}", "{t}\n\n{d}"])
        first = self.document(random, max(30, words // count), genres)
        parts = [first] + [self.document(random, max(30, words // count),
                                         genres if random.random() < 0.5 else [first.genre])
                           for _ in range(count - 1)]
        texts = [style.format(n=noun, i=number, d=part.text,
                              t=self.grammar.expand(random, random.choice(
                                  ["person", "town", "organization", "topic_cap"])))
                 for number, part in enumerate(parts, 1)]
        everything = Document("several", noun.lower() + "s", "\n\n".join(texts))
        for part in parts:
            everything.questions += part.questions
            everything.statements += part.statements
            everything.speakers += part.speakers
        return everything

    def mentions(self, random, document):
        """What an instruction may mention of a document, for the grammar."""
        text = document.text[:3000] + " " + document.text[-2000:]
        word = random.choice(re.findall(r"[a-z]{5,}", text) or ["result"])
        names = re.findall(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)+|(?<=[a-z,] )[A-Z][a-z]{3,}", text)
        name = random.choice(names) if names else self.grammar.expand(random, "person")
        question, statement = self._fact_of(random, document)
        return {
            "doc": document.noun,
            "the_doc": _the(random, document),
            "word": word,
            "name": " ".join(name.split()),
            "who": self._who(random, document),
            "question": question,
            "statement": statement.rstrip(".?!").replace("\n", " ")[:200],
        }

    def phrase(self, random, document):
        """A few words as they stand in the document, or a topic."""
        text = document.text[:3000] + " " + document.text[-2000:]
        kind = random.random()
        if kind < 0.25:
            return self.grammar.expand(random, "topic")
        if kind < 0.35:
            return "the " + self.grammar.expand(random, "adjective") + " " + self.grammar.expand(
                random, "thing")
        if kind < 0.6:
            found = re.findall(r"\b(?:the|a|an|his|her|their|its|our) (?:[a-z\-]+ ){0,2}[a-z\-]{4,}",
                               text)
        elif kind < 0.8:
            found = re.findall(r"\b[A-Z][A-Za-z\-]+(?: [A-Z][A-Za-z\-]+){0,2}", text)
        else:
            found = re.findall(r"\b[a-z\-]{4,} [a-z\-]{5,}", text)
        return random.choice(found) if found else self.grammar.expand(random, "topic")

    def fact(self, random):
        """A sentence, questions about it and its answer."""
        sentence, questions, answer = self.grammar.expand(random, "fact").split(" ## ")
        return sentence, questions.split(" / "), answer

    def _fact_of(self, random, document):
        if document.questions and random.random() < 0.8:
            return random.choice(document.questions)[0], random.choice(document.statements)
        sentence, questions, _ = self.fact(random)
        sentences = re.findall(r"[A-Z][^.!?\n]{30,160}\.", document.text) or [sentence]
        return random.choice(questions), random.choice(sentences)

    def _who(self, random, document):
        if document.speakers and random.random() < 0.7:
            speaker = random.choice(document.speakers)
            return "the " + speaker if random.random() < 0.3 and len(speaker.split()) > 1 else speaker
        return random.choice(["the group", "the team", "the participants", "the committee", "they",
                              "the speakers", "everyone", "the two sides", "the minister", "people",
                              self.grammar.expand(random, "title_person")])

    def _real(self, random, genre, words):
        texts = self.sources[genre]
        if genre == "code":
            name, text = random.choice(texts)
            lines = text.split("\n")
            begin = random.randrange(max(1, len(lines) - 30))
            return "\n".join(lines[begin:begin + max(15, words // 5)])
        if genre in ("film", "talk"):
            wanted = max(2, words // (20 if genre == "film" else 40))
            return "\n".join(random.choice(texts) for _ in range(wanted))
        text = random.choice(texts)
        whole = list(re.finditer(r"\S+", text))
        if len(whole) <= words:
            return text
        begin = 0 if random.random() < 0.4 else random.randrange(len(whole) - words)
        return text[whole[begin].start():whole[begin + words - 1].end()]

    def _prose(self, random, genre, words):
        sentences = [self.grammar.expand(random, genre) for _ in range(max(2, words // 16))]
        if genre in ("notes", "mail"):
            return "\n".join(sentences)
        text = ""
        for sentence in sentences:
            text += sentence + ("\n\n" if random.random() < 0.12 else " ")
        return text.strip()

    def _reviews(self, random, words):
        head = random.choice(["{w} {i}: ", "{i}. ", "- ", "", "[{i}] ", "{w} ({i}/5): "])
        who = random.choice(["Guest", "User", "Review", "Customer", "Reviewer"])
        return random.choice(["\n", "\n\n"]).join(
            head.format(w=who, i=random.randint(1, 5) if "/5" in head else number)
            + " ".join(self.grammar.expand(random, "review") for _ in range(random.randint(1, 6)))
            for number in range(1, max(3, words // 35)))

    def _write_turns(self, random, document, words):
        count = random.randint(2, 5)
        rule = "first_name" if document.genre == "chat" else "speaker"
        document.speakers = [self.grammar.expand(random, rule) for _ in range(count)]
        if document.genre == "script":
            document.speakers = [speaker.upper() for speaker in document.speakers]
        between = random.choice([": ", ": ", ":\n", " - ", " >> "])
        turns = []
        written = 0
        while written < words:
            said = " ".join(self.grammar.expand(random, document.genre)
                            for _ in range(1 if document.genre == "chat" else
                                           random.choice([1, 1, 2, 4])))
            turns.append(random.choice(document.speakers) + between + said)
            written += len(turns[-1].split())
        if document.genre != "chat":
            self._add_facts(random, document, 1 + words // 120)
            for sentence in document.statements:
                turns.insert(random.randrange(len(turns) + 1),
                             random.choice(document.speakers) + between + sentence)
        document.text = random.choice(["\n", "\n", "\n\n"]).join(turns)

    def _write_table(self, random, document, words):
        columns = random.sample("Name Town Phone Price Stock Year Owner Status Code Weight".split(),
                                random.randint(3, 6))
        make = {"Town": "town", "Year": "year", "Owner": "person", "Status": "adjective",
                "Name": "person", "Price": "money"}
        rows = [[self.grammar.expand(random, make.get(column, "number")) for column in columns]
                for _ in range(max(4, words // (2 * len(columns))))]
        row = random.choice(rows)
        column = random.randrange(1, len(columns))
        document.questions = [(random.choice([
            f"What is the {columns[column].lower()} of {row[0]}?",
            f"{columns[column].lower()} for {row[0]}?",
            f"Look up {row[0]}: which {columns[column].lower()} is given?"]), row[column])]
        document.statements = [f"The {columns[column].lower()} of {row[0]} is {row[column]}."]
        style = random.randrange(4)
        if style == 0:
            lines = ["| " + " | ".join(line) + " |" for line in [columns] + rows]
        elif style == 1:
            lines = [",".join(line) for line in [columns] + rows]
        elif style == 2:
            lines = ["; ".join(f"{key}: {value}" for key, value in zip(columns, line)) for line in rows]
        else:
            lines = ["{" + ", ".join(f'"{key.lower()}": "{value}"' for key, value in
                                     zip(columns, line)) + "}," for line in rows]
        document.text = "\n".join(lines)

    def _add_facts(self, random, document, count):
        for _ in range(count):
            sentence, questions, answer = self.fact(random)
            document.questions.append((random.choice(questions), answer))
            document.statements.append(sentence)

    def _put_facts_in(self, random, document, count):
        self._add_facts(random, document, count)
        for sentence in document.statements:
            places = [match.end() for match in re.finditer(r"[.!?] ", document.text)]
            at = random.choice(places) if places else len(document.text)
            document.text = f"{document.text[:at]}{sentence} {document.text[at:]}".rstrip()


def _the(random, document):
    the = random.choice(["all the", "all", "the", "these"]) if document.plural else random.choice(
        ["the", "the", "this"])
    where = random.choice([""] * 8 + [" above", " below"])
    if random.random() < 0.1:
        return random.choice(["everything", "it", "the text", "the whole thing", "the following"])
    return f"{the} {document.noun}{where}"


def marked_up(random, text):
    """Text with the marks that web pages or speech recognition leave in it."""
    if random.random() < 0.5:
        return "\n".join(f"<{tag}> {line} </{tag}>" for line in text.split("\n") if line
                         for tag in [random.choice(["P", "P", "Li", "Td", "H2"])])
    marks = ["{vocalsound}", "{disfmarker}", "[laughter]", "{gap}", "(inaudible)"]
    return re.sub(r" ", lambda _: f" {random.choice(marks)} " if random.random() < 0.03 else " ", text)
