"""Writes long documents with one question each: sentences of small talk with facts strewn in.

The texts follow the distribution the demo model was trained on. A document, a blank line and the
question make up one user turn. Run: python long_document.py --count 40 > documents.jsonl
"""

import argparse
import json
import pathlib
import random

from tokenizers import Tokenizer

MODEL = pathlib.Path(__file__).parents[2] / "deploy/models/demo_llama"

SYLLABLES = (
    "ba be bi bo bu da de di do du fa fe fi fo ga ge go gu ha he hi ho ja je jo ka ke ki ko ku la le li lo lu "
    "ma me mi mo mu na ne ni no nu pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo wa we "
    "wi ya yo za ze zo").split()
NAME_ENDS = ["n", "r", "l", "s", "th", "nd", "m", "k", "", "", ""]
TOWN_ENDS = ["ton", "ford", "by", "burg", "field", "mouth"]
ADJECTIVES = ("brass silver wooden broken painted hollow tiny heavy ancient glass woven copper golden rusty velvet "
              "striped marble paper iron ivory").split()
OBJECTS = ("lantern compass kettle ladder violin mirror basket anchor clock hammer bottle candle ribbon saddle "
           "telescope statue drum chest whistle map").split()
JOBS = ("baker sailor teacher mason painter doctor farmer weaver lawyer pilot singer tailor miner guard scribe cook "
        "gardener potter judge clerk").split()
COLORS = "red green blue white black yellow purple orange pink grey".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
VERBS = ("watched followed greeted thanked visited painted described admired ignored helped called "
         "remembered").split()
PLACES = "harbour market library station garden bridge tower chapel museum mill".split()
WEATHER = "rain wind snow fog sunshine frost thunder drizzle".split()

FACT_SHARES = [0.03, 0.1, 0.3, 0.6, 0.9]
PARAGRAPH_BREAK_SHARE = 0.08


class Writer:
    """Sentences from one random source."""

    def __init__(self, rng):
        self.rng = rng
        self.pick = rng.choice

    def stem(self):
        return self.pick(SYLLABLES) + self.pick(SYLLABLES)

    def name(self):
        first = (self.stem() + self.pick(NAME_ENDS)).capitalize()
        return f"{first} {(self.stem() + self.pick(NAME_ENDS)).capitalize()}"

    def town(self):
        return (self.stem() + self.pick(TOWN_ENDS)).capitalize()

    def thing(self):
        return f"{self.pick(ADJECTIVES)} {self.pick(OBJECTS)}"

    def number(self):
        return str(self.rng.randrange(1000, 999999))

    def small_talk(self):
        p = self.pick
        return p([
            lambda: f"The {p(WEATHER)} over the {p(PLACES)} lasted until {p(DAYS)}.",
            lambda: f"A {p(JOBS)} {p(VERBS)} the {p(COLORS)} {p(OBJECTS)} near the {p(PLACES)}.",
            lambda: f"On {p(DAYS)} nobody {p(VERBS)} the {p(JOBS)} at the {p(PLACES)}.",
            lambda: f"Every {p(DAYS)} the {p(PLACES)} smelled of {p(WEATHER)} and {p(COLORS)} paint.",
            lambda: f"Some {p(COLORS)} {p(OBJECTS)}s were left beside the old {p(PLACES)}.",
            lambda: f"The {p(JOBS)} and the {p(JOBS)} talked about {p(WEATHER)} again.",
        ])()

    def fact(self):
        """A sentence and the (question, answer) pairs it settles."""
        return self.pick([self.keeper, self.vault, self.job, self.superior, self.purchase, self.journey])()

    def keeper(self):
        name, town, thing = self.name(), self.town(), self.thing()
        return f"{name} keeps the {thing} in {town}.", [(f"Where does {name} keep the {thing}?", town)]

    def vault(self):
        town, code = self.town(), self.number()
        return (f"The access code for the {town} vault is {code}.",
                [(f"What is the access code for the {town} vault?", code)])

    def job(self):
        name, job, town = self.name(), self.pick(JOBS), self.town()
        return (f"{name} works as a {job} in {town}.",
                [(f"What is the job of {name}?", job), (f"In which town does {name} work?", town)])

    def superior(self):
        name, superior = self.name(), self.name()
        return f"{name} reports to {superior}.", [(f"Who does {name} report to?", superior)]

    def purchase(self):
        name, thing, price = self.name(), self.thing(), self.number()
        return (f"{name} bought the {thing} for {price} coins.",
                [(f"How many coins did {name} pay for the {thing}?", price)])

    def journey(self):
        name, day, town = self.name(), self.pick(DAYS), self.town()
        return (f"{name} travels to {town} every {day}.",
                [(f"When does {name} travel to {town}?", day), (f"Where does {name} travel every {day}?", town)])


def count_tokens(tokenizer, text):
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def make_document(rng, tokens, tokenizer):
    """A document of at most `tokens` tokens, one sentence short of it at most, and one question on it."""
    writer = Writer(rng)
    fact_share = rng.choice(FACT_SHARES)
    parts, pairs, used = [], [], 0
    while True:
        sentence, settled = writer.fact() if rng.random() < fact_share else (writer.small_talk(), [])
        used += count_tokens(tokenizer, (" " if parts else "") + sentence)
        if used > tokens:
            break
        parts.append(sentence)
        pairs += settled
        if rng.random() < PARAGRAPH_BREAK_SHARE:
            parts.append("\n")
            used += 1
    if not pairs:
        return make_document(rng, tokens, tokenizer)
    questions = [question for question, _ in pairs]
    question, answer = rng.choice([pair for pair in pairs if questions.count(pair[0]) == 1])
    return {"document": " ".join(parts).strip(), "question": question, "answer": answer}


def make_documents(seed, count, min_tokens, max_tokens):
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    rng = random.Random(seed)
    return [make_document(rng, rng.randint(min_tokens, max_tokens), tokenizer) for _ in range(count)]


def user_turn(item):
    return f"{item['document']}\n\n{item['question']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20, help="the first documents of 20 are the committed ones")
    parser.add_argument("--count", type=int, default=8, help="documents (8)")
    parser.add_argument("--min-tokens", type=int, default=6000, help="shortest document in tokens (6000)")
    parser.add_argument("--max-tokens", type=int, default=7900, help="longest document in tokens (7900)")
    args = parser.parse_args()
    for item in make_documents(args.seed, args.count, args.min_tokens, args.max_tokens):
        print(json.dumps(item))


if __name__ == "__main__":
    main()
