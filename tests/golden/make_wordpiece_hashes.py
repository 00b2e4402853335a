"""Writes data/wordpiece_hashes.json: what transformers' BertTokenizer makes of 100,000 random strings.

Run: python make_wordpiece_hashes.py (a minute). tests/engine/text/unicode_corpus.h makes the same strings from the same
numbers; README.md says how.
"""

import json
import pathlib

from transformers import BertTokenizer

DATA = pathlib.Path(__file__).parent / "data"
VOCABULARY = pathlib.Path(__file__).parents[2] / "deploy/models/task_classifier/vocab.txt"
STRINGS = 100_000
BLOCK = 1_000
SEED = 20_240_229
MASK = (1 << 64) - 1
FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3

# Every character of these is a piece, so that a wrong one is seen.
PIECE_RANGES = [(0x41, 0x5A), (0xC0, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0x1100, 0x11FF), (0x1E00, 0x1FFF),
                (0x3040, 0x30FF), (0x4E00, 0x4EFF)]
SPACES = [" ", "\n", "\t", "  "]
ODD = [0x0, 0x1, 0x9, 0xA, 0xB, 0xC, 0xD, 0x1C, 0x1F, 0x7F, 0x85, 0xA0, 0xAD, 0x1680, 0x2003, 0x200B, 0x200D, 0x200E,
       0x2028, 0x2029, 0x3000, 0xE000, 0xFEFF, 0xFFFD]
TOKENS = ["[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]", "[mask]", "[MASK", "CLS]", "[[SEP]]", "##ing"]
MARKS = [(0x300, 0x70), (0x591, 0x2D), (0x64B, 0x15), (0x93C, 0x12), (0x302A, 6), (0x1D165, 9)]


class Numbers:
    """A linear congruential generator of 64 bits, its upper 31 bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return (self.state >> 33) % limit


def word(numbers):
    size = 1 + numbers.below(10)
    first = ord("A") if numbers.below(8) == 0 else ord("a")
    return "".join(chr(first + numbers.below(26)) for _ in range(size))


def marked(numbers):
    text = chr(ord("a") + numbers.below(26))
    for _ in range(numbers.below(6)):
        first, size = MARKS[numbers.below(len(MARKS))]
        text += chr(first + numbers.below(size))
    return text


def any_character(numbers, limit):
    code_point = numbers.below(limit)
    return chr(code_point if not 0xD800 <= code_point < 0xE000 else code_point - 0x800)


def atom(numbers):
    kind = numbers.below(20)
    if kind < 5:
        return word(numbers)
    if kind < 7:
        return SPACES[numbers.below(len(SPACES))]
    ranges = {7: (33, 94), 8: (0xC0, 0x190), 9: (0x300, 0x70), 12: (0x370, 0x590), 13: (0x900, 0x1700),
              14: (0x2000, 0x1000)}
    if kind in ranges:
        first, size = ranges[kind]
        return chr(first + numbers.below(size))
    if kind == 10:
        first, size = [(0x4E00, 0x5200), (0x3400, 0x19C0), (0x20000, 0xB000), (0xF900, 0x200)][numbers.below(4)]
        return chr(first + numbers.below(size))
    if kind == 11:
        return chr(ODD[numbers.below(len(ODD))])
    if kind == 15:
        first, size = [(0xAC00, 11172), (0x1100, 0x100), (0x3040, 0xC0)][numbers.below(3)]
        return chr(first + numbers.below(size))
    if kind == 16:
        return any_character(numbers, 0x10000)
    if kind == 17:
        return any_character(numbers, 0x110000)
    if kind == 18:
        return TOKENS[numbers.below(len(TOKENS))]
    if numbers.below(8) == 0:
        return chr(ord("a") + numbers.below(26)) * (95 + numbers.below(12))
    return marked(numbers)


def strings():
    numbers = Numbers(SEED)
    for _ in range(STRINGS):
        yield "".join(atom(numbers) for _ in range(numbers.below(24)))


def vocabulary():
    lines = VOCABULARY.read_text().split("\n")[:-1]
    known = set(lines)
    for first, last in PIECE_RANGES:
        for code_point in range(first, last + 1):
            for line in (chr(code_point), "##" + chr(code_point)):
                if line not in known:
                    known.add(line)
                    lines.append(line)
    return {line: i for i, line in enumerate(lines)}


def block_hashes(ids_of_strings):
    hashes = []
    value = FNV_OFFSET
    for i, ids in enumerate(ids_of_strings, 1):
        for piece in [*ids, -1]:
            value = ((value ^ (piece + 1)) * FNV_PRIME) & MASK
        if i % BLOCK == 0:
            hashes.append(f"{value:016x}")
            value = FNV_OFFSET
    return hashes


def encode(tokenizer, texts):
    """Every second string with the special tokens in it read as plain text."""
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = False
    ids = [encoding.ids for encoding in backend.encode_batch(texts, add_special_tokens=False)]
    backend.encode_special_tokens = True
    ids[1::2] = [encoding.ids for encoding in backend.encode_batch(texts[1::2], add_special_tokens=False)]
    return ids


def main():
    texts = list(strings())
    result = {}
    for name, lower in (("uncased", True), ("cased", False)):
        tokenizer = BertTokenizer(vocab=vocabulary(), do_lower_case=lower)
        result[name] = block_hashes(encode(tokenizer, texts))
    path = DATA / "wordpiece_hashes.json"
    path.write_text(json.dumps(result, indent=0) + "\n")
    print(path.name, STRINGS, "strings", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
