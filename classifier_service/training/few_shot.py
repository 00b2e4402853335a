"""Prompts that show worked examples before the one to solve. The model has to take in the pattern of
all examples, so they are aggregation.
"""

import re

SEPARATORS = ["\n\n", "\n\n", "\n\n\n", "\n", "\n###\n", "\n---\n"]
REASONING = ["Let's think step by step.", "Let's think step by step", "We reason as follows.",
             "First things first.", "Thinking aloud:", "Step by step:", "Explanation:", "Reasoning:"]
CONCLUSIONS = ["So the answer is {}.", "The answer is {}", "Hence {}.", "Answer: {}", "#### {}",
               "Therefore, the answer is {}.", "The correct choice is {}.", "Result = {}", "The answer is {}",
               "So the answer is {}."]


class Exercises:
    """Small puzzles, each (question, reasoning, answer, wrong answers)."""

    def __init__(self, grammar):
        self._grammar = grammar
        self.kinds = {name: getattr(self, name) for name in TASKS}

    def word(self, random, rule):
        return self._grammar.expand(random, rule)

    def arithmetic(self, random):
        a, b, c = random.randint(3, 90), random.randint(2, 40), random.randint(2, 9)
        name, things = self.word(random, "first_name"), self.word(random, "things")
        form = random.randrange(4)
        if form == 0:
            return (f"{name} has {a} {things} and buys {b} more each day for {c} days. How many {things} "
                    f"does {name} have in the end?",
                    f"{name} buys {b} x {c} = {b * c} {things}. {a} + {b * c} = {a + b * c}.",
                    str(a + b * c), [str(a + b), str(b * c), str(a * c)])
        if form == 1:
            return (f"A box holds {b} {things}. {name} fills {c} boxes and gives away {min(a, b * c)} "
                    f"{things}. How many are left?",
                    f"{c} boxes hold {b} * {c} = {b * c}. {b * c} - {min(a, b * c)} = "
                    f"{b * c - min(a, b * c)}.", str(b * c - min(a, b * c)), [str(b * c), str(b)])
        if form == 2:
            return (f"{name} earns ${b} an hour and works {c} hours a day. How much does {name} earn in "
                    f"{c + 3} days?", f"In a day {name} earns {b}*{c} = ${b * c}. In {c + 3} days that is "
                    f"{b * c}*{c + 3} = ${b * c * (c + 3)}.", str(b * c * (c + 3)), [str(b * c)])
        return (f"(({a} * {b} - {c}) + {a - c}) =", f"A = {a} * {b} - {c} = {a * b - c}. B = {a - c}. "
                f"A + B = {a * b - c + a - c}.", str(a * b - c + a - c), [str(a * b), str(a + b)])

    def story(self, random):
        """A word problem with its working; the numbers need not fit."""
        working = " ".join(self.word(random, "working") for _ in range(random.randint(2, 5)))
        return (self.word(random, "word_problem"), working, self.word(random, "number"),
                [self.word(random, "number") for _ in range(3)])

    def quiz(self, random):
        """A question of any kind, with reasons of any kind: only the form of the prompt is like an
        exercise."""
        answers = random.choice([["Yes", "No"], ["valid", "invalid"], ["True", "False"], None])
        if answers is None:
            rule = random.choice(["thing", "number", "person", "job", "topic", "town"])
            answers = [self.word(random, rule) for _ in range(random.randint(2, 6))]
        random.shuffle(answers)
        reasons = " ".join(self.word(random, "reason") for _ in range(random.randint(1, 7)))
        return self.word(random, "quiz"), reasons, answers[0], answers[1:]

    def sequences(self, random):
        first, step = random.randint(1, 20), random.randint(2, 9)
        values = [first + step * i for i in range(random.randint(4, 7))]
        after = values[-1] + step
        return (f"Continue the sequence: {', '.join(map(str, values))}, ...",
                f"Neighbours differ by {step}. {values[-1]} + {step} = {after}.", str(after),
                [str(after + 1), str(after - 1), str(after + step)])

    def odd_one(self, random):
        kind, other = random.sample(["job", "things", "month", "first_name", "animal", "town"], 2)
        same = sorted({self.word(random, kind) for _ in range(6)})[:3]
        odd = self.word(random, other)
        words = sorted(same + [odd], key=lambda _: random.random())
        return (f"Which word does not belong: {', '.join(words)}?",
                f"{', '.join(same)} are of one kind, while {odd} is not.", odd, same[:2])

    def order(self, random):
        names = random.sample(sorted({self.word(random, "first_name") for _ in range(9)}), 3)
        thing = random.choice(["is taller than", "finished before", "is older than", "sits left of"])
        last = random.random() < 0.5
        return (f"The following sentences describe three people in a fixed order. {names[0]} {thing} "
                f"{names[1]}. {names[1]} {thing} {names[2]}. Who is the {'last' if last else 'first'}?",
                f"(1) {names[0]} comes before {names[1]}. (2) {names[1]} comes before {names[2]}. So the "
                f"order is {', '.join(names)}.", names[2 if last else 0],
                [names[1], names[0 if last else 2]])

    def swaps(self, random):
        people = random.sample(sorted({self.word(random, "first_name") for _ in range(9)}), 3)
        held = {person: self.word(random, "adjective") + " " + self.word(random, "thing")
                for person in people}
        asked = random.choice(people)
        text = " ".join(f"{person} has a {thing}." for person, thing in held.items())
        reasoning = "(0) At the start: " + ", ".join(f"{p}: {t}" for p, t in held.items()) + "."
        for step in range(random.randint(2, 4)):
            one, two = random.sample(people, 2)
            held[one], held[two] = held[two], held[one]
            text += f" {random.choice(['Then', 'Next', 'After that'])}, {one} and {two} swap gifts."
            reasoning += f" ({step + 1}) {one} and {two} swap: " + ", ".join(
                f"{p}: {t}" for p, t in held.items()) + "."
        return (f"{', '.join(people)} are holding a party. {text} At the end, {asked} has the",
                reasoning, held[asked], [t for p, t in held.items() if p != asked])

    def dates(self, random):
        day, month, year = random.randint(1, 20), random.randint(1, 12), random.randint(1950, 2024)
        days = random.randint(1, 8)
        return (f"Today is {month:02}/{day:02}/{year}. What is the date {days} days "
                f"{'from today' if day + days < 29 else 'later'} in MM/DD/YYYY?",
                f"{day} + {days} = {day + days}, so it is {month:02}/{day + days:02}/{year}.",
                f"{month:02}/{day + days:02}/{year}",
                [f"{month:02}/{day + days + 1:02}/{year}", f"{month:02}/{day:02}/{year + 1}"])

    def truth(self, random):
        values = [random.choice(["True", "False", "not True", "not False"]) for _ in range(3)]
        joins = [random.choice(["and", "or"]) for _ in range(2)]
        text = f"{values[0]} {joins[0]} {values[1]} {joins[1]} {values[2]}"
        value = eval(text, {"__builtins__": {}})  # words chosen above, nothing else
        return f"not ( {text} ) is", f"Z = not ( {text} ) = not {value} = {not value}.", str(
            not value), [str(value)]

    def syllogisms(self, random):
        one, two, three = random.sample(sorted({self.word(random, "job") for _ in range(9)}), 3)
        valid = random.random() < 0.5
        return (f"\"First, every {one} is a {two}. Second, every {two} is a {three}. Therefore every "
                f"{one if valid else three} is a {three if valid else one}.\" Is the argument, given the "
                "premises, deductively valid or invalid?",
                f"Each {one} lies inside {two}, which lies inside {three}."
                + ("" if valid else " The reverse need not hold."), "valid" if valid else "invalid",
                ["invalid" if valid else "valid"])

    def causes(self, random):
        name, job = self.word(random, "first_name"), self.word(random, "job")
        caused = random.random() < 0.5
        what = random.choice(["the alarm went off", "the roof leaked", "the guests were late",
                              "the shop lost money", "the plants dried out"])
        story = " ".join(self.word(random, "story") for _ in range(random.randint(1, 4)))
        return (f"{story} {name}, the {job}, did not read the sign. "
                f"{'Because of this' if caused else 'For quite another reason'}, {what}. Did {name} cause "
                "it?\nHow would a typical person answer?",
                f"{what.capitalize()} {'because' if caused else 'but not because'} {name} did not read "
                "it.", "Yes" if caused else "No", ["No" if caused else "Yes"])

    def pronouns(self, random):
        one, two = random.sample(sorted({self.word(random, "job") for _ in range(9)}), 2)
        clear = random.random() < 0.5
        return (f"In the following sentence, say what the pronoun refers to, or state that it is "
                f"ambiguous.\nSentence: The {one} told the {two} that {'the ' + one if clear else 'they'} "
                "would be late.", "It is said outright." if clear else
                "The pronoun may stand for either.", f"The {one}" if clear else "Ambiguous",
                [f"The {two}"] + ([] if not clear else ["Ambiguous"]))

    def routes(self, random):
        x = y = 0
        steps, notes = [], ["We begin at (0, 0)."]
        for _ in range(random.randint(3, 6)):
            length = random.randint(1, 9)
            way, dx, dy = random.choice([("north", 0, 1), ("south", 0, -1), ("east", 1, 0),
                                         ("west", -1, 0)])
            x, y = x + dx * length, y + dy * length
            steps.append(f"Take {length} steps {way}.")
            notes.append(f"After {length} {way}: ({x}, {y}).")
        return ("If you follow these instructions, do you return to the starting point? "
                + " ".join(steps), " ".join(notes), "Yes" if x == y == 0 else "No",
                ["No" if x == y == 0 else "Yes"])

    def sorting(self, random):
        words = sorted({self.word(random, rule) for rule in ["thing", "job", "things", "animal"] * 2})
        random.shuffle(words)
        words = words[:random.randint(3, 8)]
        return ("Sort the following words alphabetically: List: " + " ".join(words),
                "The first letters: " + ", ".join(f"\"{word}\": \"{word[0]}\"" for word in words) + ".",
                " ".join(sorted(words)), [" ".join(words)])

    def counting(self, random):
        things = [(random.randint(1, 4), self.word(random, "things")) for _ in range(random.randint(3, 7))]
        total = sum(count for count, _ in things)
        return ("I have " + ", ".join(f"{count} {thing}" for count, thing in things)
                + ". How many objects do I have?", " + ".join(str(count) for count, _ in things)
                + f" = {total}.", str(total), [str(total + 1), str(len(things))])

    def tables(self, random):
        rows = [(self.word(random, "first_name"), random.randint(3, 90)) for _ in range(4)]
        oldest = max(rows, key=lambda row: row[1])
        return ("Here is a table where the first line is a header and each line is an animal: name, age\n"
                + "\n".join(f"{name}, {age}" for name, age in rows) + "\nWhich animal is the oldest?",
                f"The ages are {', '.join(str(age) for _, age in rows)}; {oldest[1]} is the largest.",
                oldest[0], [name for name, _ in rows if name != oldest[0]][:3])

    def films(self, random):
        seen = [self.title(random) for _ in range(4)]
        good, bad = self.title(random), [self.title(random) for _ in range(3)]
        return (f"Find a movie similar to {', '.join(seen)}:",
                f"{seen[0]} and {seen[1]} are both about a {self.word(random, 'job')}, as is {good}.",
                good, bad)

    def title(self, random):
        return f"The {self.word(random, 'adjective')} {self.word(random, 'thing')}".title()

    def sentences(self, random):
        plain = self.word(random, random.choice(["story", "news", "encyclopedia"]))
        words = plain.split()
        mixed = " ".join(words[len(words) // 2:] + words[:len(words) // 2])
        return ("Which sentence has the correct order of words?", "One reads naturally, the other does "
                "not.", plain, [mixed])

    def translations(self, random):
        sentence = self.word(random, "encyclopedia")
        kind, wrong = random.choice([("Named Entities", sentence.replace(" in ", " near ")),
                                     ("Numerical Values", re.sub(r"\d", "3", sentence)),
                                     ("Dropped Content", sentence[:len(sentence) // 2] + ".")])
        return (f"The following translation contains an error.\nSource: {sentence}\nTranslation: {wrong}\n"
                "The translation contains an error pertaining to", "Comparing both, one part differs.",
                kind, ["Facts", "Negation or Antonyms"])

    def plausible(self, random):
        real = random.random() < 0.5
        name = self.word(random, "person")
        did = random.choice(["scored a goal in the cup final", "took the penalty"] if real else
                            ["hit a home run in the chess final",
                             "caught the puck in the violin concert"])
        return (f"Is the following sentence plausible? \"{name} {did}.\"",
                "Both belong to the same sport." if real else "The two do not go together.",
                "yes" if real else "no", ["no" if real else "yes"])

    def brackets(self, random):
        opened = [random.choice("([{<") for _ in range(random.randint(2, 6))]
        close = {"(": ")", "[": "]", "{": "}", "<": ">"}
        rest = " ".join(close[bracket] for bracket in reversed(opened))
        return ("Complete the rest of the sequence, making sure that the parentheses are closed properly. "
                "Input: " + " ".join(opened), "We close them from the last to the first.", rest,
                [rest[::-1]])


TASKS = {
    "story": "solve grade school problems", "quiz": "answer questions of one kind",
    "arithmetic": "solve word problems", "sequences": "continue number sequences",
    "odd_one": "find the odd word out", "order": "deduce the order of a sequence of objects",
    "swaps": "keep track of who has what", "dates": "infer the date from context",
    "truth": "evaluate the result of a Boolean expression",
    "syllogisms": "distinguish valid arguments from fallacies",
    "causes": "answer questions about causal attribution",
    "pronouns": "clarify the meaning of sentences with ambiguous pronouns",
    "routes": "decide whether one returns to the starting point",
    "sorting": "sort a list of words", "counting": "count objects",
    "tables": "answer questions about a table", "films": "recommend movies similar to the given ones",
    "sentences": "choose the natural sentence", "translations": "detect the type of error",
    "plausible": "say whether a made-up sentence is plausible", "brackets": "close the brackets",
}


class FewShot:
    """Writes prompts of examples. `draw` gives (kind, text)."""

    def __init__(self, writer):
        self._writer = writer
        self._grammar = writer.grammar
        self._exercises = Exercises(writer.grammar)

    def draw(self, random, words):
        return random.choices([self.worked, self.passages, self.labels, self.transforms, self.pairs],
                              [34, 18, 22, 16, 10])[0](random, words)

    def worked(self, random, words):
        """Exercises with their reasoning, often with options."""
        name = random.choice(sorted(TASKS) + ["story"] * 7 + ["quiz"] * 9)
        ask = random.choice(["Q: ", "Q: ", "Question: ", "Question: ", "Problem: ", "Input: ", "Exercise: ",
                             "Human: ", "", "Task: ", "Puzzle: "])
        reply = random.choice(["A: ", "A: ", "Answer: ", "", "", "Solution: ", "Output: ", "AI: ", "=> "])
        with_options = random.random() < 0.5
        reasoned = random.random() < 0.75
        cue = random.choice(REASONING) if reasoned else ""
        between = random.choice(["\n", " "]) if cue else ""
        conclusion = random.choice(CONCLUSIONS)
        options_style = random.choice(["({})", "{}.", "{})", "-"])
        talk = random.randint(0, 3)

        def shot(solved):
            question, reasoning, answer, wrong = self._exercises.kinds[name](random)
            if with_options:
                question, answer = _with_options(random, options_style, question, answer, wrong)
            if not solved:
                return f"{ask}{question}\n{reply}{cue}".rstrip() + random.choice(["", "", "\n", " "])
            extra = "".join(" " + random.choice([
                "Let us check that again.", "This was given.", "The other choices do not fit.",
                "Nothing else changes.", "We go on with the next part.", "That is the first step."])
                for _ in range(random.randint(0, talk)))
            body = f"{reasoning}{extra} {conclusion.format(answer)}" if reasoned else answer
            return f"{ask}{question}\n{reply}{cue}{between}{body}"

        task = TASKS[name]
        title = random.choice([f"Task: {task}.", f"{task.capitalize()}.", f"{task.capitalize()}, as shown.",
                               f"Your job is to {task}. Solved cases come first.", "", "",
                               f"The following problems ask you to {task}.",
                               f"Questions that ask you to {task}.", f"{task.capitalize()}:"])
        return f"few_shot/{name}", self._join(random, title, shot, words, most=12)

    def passages(self, random, words):
        """Passages with a question and an answer each."""
        passage, query, answer = random.choice([
            ("Passage", "Question", "Answer"), ("Text", "Q", "A"), ("Context", "Question", "Reply"),
            ("Story", "Question", "Answer"), ("Paragraph", "Query", "Response"), ("", "Question", "Answer"),
            ("Document", "Question", "Short answer"), ("Article", "Question", "Answer")])
        colon = random.choice([": ", ":\n"])
        longest = random.choice([60, 150, 400])
        noun = passage.lower() or "text"

        def shot(solved):
            document = self._writer.document(random, random.randint(20, longest), [
                "wiki", "wire", "story", "encyclopedia", "news", "paper", "table", "support"])
            if document.questions:
                question, said = random.choice(document.questions)
            else:
                _, questions, said = self._writer.fact(random)
                question = random.choice(questions)
            head = f"{passage}{colon}" if passage else ""
            return f"{head}{document.text}\n{query}{colon}{question}\n{answer}{colon}" + (
                said if solved else "")

        given = {"doc": noun}
        title = self._grammar.expand(random, random.choice(["answer_from", "answer_from", "neutral"]),
                                     given) if random.random() < 0.8 else ""
        if random.random() < 0.5:
            title += " " + self._grammar.expand(random, "style", given)
        if longest > 60 or random.random() < 0.7:
            title += " " + random.choice([
                "Some examples come first.", "Here are a few examples.", "Examples are given below.",
                "The following are some examples.", "See the examples for the style.",
                "The first ones are already answered.", "A few solved examples follow.",
                "Look at the examples, then answer the last question.", "Samples:"])
        return "few_shot/passages", self._join(random, title.strip(), shot, words, most=8)

    def labels(self, random, words):
        """Short texts with a label each."""
        what, texts = random.choice(self._label_tasks())
        text_cue = random.choice(["Text", "Input", "Sentence", "Question", "Review", "Tweet", "News", "Item",
                                  "Message"])
        label_cue = random.choice(["Label", "Type", "Category", "Class", "Output", "Answer", "Sentiment"])
        colon = random.choice([": ", ": ", " = ", " -> ", ":\n"])

        def shot(solved):
            text, label = texts(random)
            return f"{text_cue}{colon}{text}\n{label_cue}{colon}" + (label if solved else "")

        title = random.choice([
            f"Determine the {what}. Examples are provided.", f"Classify by {what}.", "", "",
            f"Please say the {what} of the last one. Here are some examples.",
            f"Label the last example in the same way.", f"Here are labelled examples for {what}.",
            f"Learn the {what} from these examples.", f"What is the {what}? Some solved cases come first."])
        return "few_shot/labels", self._join(random, title, shot, words, most=40)

    def _label_tasks(self):
        expand = self._grammar.expand

        def question_type(random):
            question = random.choice(self._writer.fact(random)[1])
            kinds = {"who": "person", "whom": "person", "where": "place", "when": "date", "how": "number"}
            return question, kinds.get(question.split()[0].lower(), "thing")

        def topic(random):
            genre = random.choice(["news", "paper", "contract", "story", "review"])
            return expand(random, genre), {"news": "politics", "paper": "science", "contract": "law",
                                           "story": "fiction", "review": "shopping"}[genre]

        def sentiment(random):
            good = random.random() < 0.5
            kind = ["wonderful", "superb", "great"] if good else ["terrible", "broken", "a waste of money"]
            return (f"{expand(random, 'aspect')} was {random.choice(kind)}. "
                    + expand(random, "review")), "positive" if good else "negative"

        def same(random):
            one = expand(random, "news")
            two = one if random.random() < 0.5 else expand(random, "news")
            return f"{one} / {two}", "same" if one == two else "different"

        def intent(random):
            return random.choice([
                (expand(random, "support"), "information"), (expand(random, "chat"), "small talk"),
                (f"Please book {expand(random, 'small')} {expand(random, 'things')}", "booking"),
                (f"Where is my order of {expand(random, 'things')}?", "tracking")])

        return [("question type", question_type), ("topic", topic), ("sentiment", sentiment),
                ("relation", same), ("intent", intent)]

    def transforms(self, random, words):
        """Longer texts with something made of each: a summary, a title, a record."""
        what, cue, genres, make = random.choice([
            ("sum up each dialogue", "Summary", ["chat", "talk", "meeting"], ["{first_name} and {first_name} "
             "talk about {topic} and agree to meet in {town}.", "{first_name} wants to {thing} but "
             "{first_name} has no {things}."]),
            ("write a title for each text", "Title", ["wire", "news", "wiki", "encyclopedia"],
             ["{town} residents divided over {topic}", "{organization} comments on {topic}"]),
            ("turn each sentence into a record", "JSON", ["mail", "support"],
             ['\\{"name": "{person}", "town": "{town}"\\}']),
            ("say what each text is about", "Gist", ["paper", "report", "wire"],
             ["{topic}", "a {adjective} study of {topic}"]),
            ("simplify each paragraph", "Simple", ["contract", "report", "patent"],
             ["You must pay for {things}.", "{organization} deals with {topic}."])])
        text_cue = random.choice(["Dialogue", "Text", "Input", "Article", "Before", "Source"])

        def shot(solved):
            text = self._writer.document(random, random.randint(15, 110), genres).text
            return f"{text_cue}: {text}\n{cue}: " + (
                self._grammar.write(random, random.choice(make)) if solved else "")

        title = random.choice([f"Task: {what}. Examples come first.", f"{what.capitalize()}, as in the "
                               "examples.", "Do the same for the last one.", "", "",
                               f"Please {what}. The following are some examples."])
        return "few_shot/transforms", self._join(random, title, shot, words, most=10)

    def pairs(self, random, words):
        """Closed questions and answers, or inputs and outputs, with nothing around them."""
        arrow = random.choice([" -> ", " => ", "\nA: ", ": ", " = ", "\nAnswer: ", "\nOutput: "])
        ask = "Q: " if arrow == "\nA: " else random.choice(["", "Input: ", "Question: "])
        kind = random.randrange(3)

        def shot(solved):
            if kind == 0:
                _, questions, answer = self._writer.fact(random)
                text = random.choice(questions)
            elif kind == 1:
                text = self._grammar.expand(random, "thing")
                answer = text[::-1]
            else:
                text = self._grammar.expand(random, "encyclopedia")
                answer = text.upper()
            return f"{ask}{text}{arrow}" + (answer if solved else "")

        title = random.choice(["", "", "Follow the pattern.", "Continue.", "Trivia, with answers:"])
        return "few_shot/pairs", self._join(random, title, shot, words, most=30)

    def _join(self, random, title, shot, words, most):
        shots = []
        written = 0
        wanted = random.randint(2, most)
        while len(shots) < 2 or (len(shots) < wanted and written < words):
            text = shot(True)
            numbered = f"Example {len(shots) + 1}:\n" if most == 12 and wanted % 7 == 0 else ""
            shots.append(numbered + text)
            written += len(text.split())
        last = shot(False)
        if random.random() < 0.7:
            last = last.rstrip()
        before = random.choice(["", "", "", "Now your turn.\n", "Now this one:\n"]) if title else ""
        text = random.choice(SEPARATORS).join(shots + [before + last])
        return f"{title}{random.choice([chr(10), chr(10) * 2])}{text}" if title else text


def _with_options(random, style, question, answer, wrong):
    options = [answer] + wrong
    random.shuffle(options)
    head = random.choice(["\nOptions:\n", "\nChoices:\n", "\nAnswer choices: ", "\n"])
    if style == "-":
        return question + head + "\n".join(f"- {option}" for option in options), answer
    letters = [style.format(chr(65 + i)) for i in range(len(options))]
    chosen = letters[options.index(answer)].rstrip(".")
    return question + head + "\n".join(f"{letter} {option}" for letter, option in
                                       zip(letters, options)), chosen
