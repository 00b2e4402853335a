"""Writes data/tokenizers.json with what tokenizers and transformers compute.

Run: python make_tokenizer_goldens.py (seconds). README.md gives the schema.
"""

import copy
import json
import pathlib
import random
import tempfile

from tokenizers import Tokenizer, models, trainers
from transformers import AutoTokenizer, BertTokenizer

DATA = pathlib.Path(__file__).parent / "data"
MODELS = pathlib.Path(__file__).parents[2] / "deploy/models"
SEED = 11

SENTENCES = ("the old ferry to the island leaves at seven from the east pier and the captain waits for the mail van which is "
             "often late so the children eat their bread on the pier and count the boats that come and go in the rain")
WORDS = ["the", "don't", "I'LL", "we've", "hello", "Straße", "naïve", "café", "  ", "\n\n", "\r\n", "123456", "3.14", "'s",
         "<|eot_id|>", "<s>", "[MASK]", "[SEP]", "éclair", "ﬁ", "ΟΔΟΣ", "\t\t", " x", "...", "ferry", "the hello"]
RANGES = [(32, 127), (0xA0, 0x250), (0x370, 0x530), (0x4E00, 0x4F00), (0x1F600, 0x1F650), (0x300, 0x340), (0x5D0, 0x5EB),
          (0x900, 0x970), (0x2000, 0x2030), (0xAC00, 0xAC40), (0, 32), (0x660, 0x66A), (0x180E, 0x180F), (0x130, 0x132)]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
LLAMA31_CHAT = r'''{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}'''
CHATML_TURNS = ("{% for message in messages %}SYSTEM{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
                "+ '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
CHATML_SYSTEM = ("{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant."
                 "<|im_end|>\n' }}{% endif %}")


def random_text(rng):
    parts = []
    for _ in range(rng.randint(1, 10)):
        if rng.random() < 0.6:
            parts.append(rng.choice(WORDS) + rng.choice(["", " "]))
        else:
            begin, end = rng.choice(RANGES)
            parts.append("".join(chr(rng.randrange(begin, end)) for _ in range(rng.randint(1, 5))))
    return "".join(parts)


def byte_level(prefix, regex):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*members):
    return {"type": "Sequence", "pretokenizers": list(members)}


def added_token(index, content, **flags):
    return {"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": False, **flags}


def added_tokens(first):
    contents = [("hello", {"lstrip": True, "rstrip": True}), ("the", {"single_word": True}), ("don't", {"normalized": True}),
                ("...", {"normalized": True, "rstrip": True}), ("the hello", {}), ("[MASK]", {"special": True, "lstrip": True})]
    return [added_token(first + i, content, **flags) for i, (content, flags) in enumerate(contents)]


def sentencepiece_like():
    """A small BPE with byte fallback, in the layout that SentencePiece models are converted to."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False)
    trained.train_from_iterator(["▁" + word for word in SENTENCES.split()] * 2, trainer)
    file = json.loads(trained.to_str())
    pieces = sorted(file["model"]["vocab"], key=file["model"]["vocab"].get)[1:]
    spellings = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + pieces
    file["model"] |= {"vocab": {spelling: i for i, spelling in enumerate(spellings)}, "fuse_unk": True, "byte_fallback": True}
    file["added_tokens"] = [added_token(i, spellings[i], special=True) for i in range(3)]
    file["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    file["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return file


def variants(demo, converted):
    """Name, base, and the sections that replace the base's."""
    yield "demo_llama", "demo_llama", {}
    yield "gpt2", "demo_llama", {"pre_tokenizer": byte_level(False, True)}
    yield "space_prefix", "demo_llama", {"pre_tokenizer": byte_level(True, True)}
    yield "qwen2", "demo_llama", {"normalizer": {"type": "NFC"}, "pre_tokenizer": sequence(split(QWEN2), byte_level(False, False))}
    for form in ["NFD", "NFKC", "NFKD"]:
        yield form, "demo_llama", {"normalizer": {"type": form}}
    for individual in [False, True]:
        digits = {"type": "Digits", "individual_digits": individual}
        yield f"digits_{individual}", "demo_llama", {"pre_tokenizer": sequence(digits, byte_level(False, True))}
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        for invert in [False, True]:
            pattern = split(r"[\s\p{P}]", behavior, invert)
            yield f"{behavior}_{invert}", "demo_llama", {"pre_tokenizer": sequence(pattern, byte_level(False, False))}
    yield "added_tokens", "demo_llama", {"normalizer": {"type": "NFD"}, "added_tokens": demo["added_tokens"] + added_tokens(4096)}
    yield "ignore_merges", "demo_llama", {"model.ignore_merges": True}
    yield "sentencepiece", "sentencepiece", {}
    for scheme in ["always", "first", "never"]:
        metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": scheme != "first"}
        yield f"metaspace_{scheme}", "sentencepiece", {"normalizer": None, "pre_tokenizer": metaspace}
    yield "gemma", "sentencepiece", {
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": split(" ", "MergedWithPrevious", kind="String")}
    first = len(converted["model"]["vocab"])
    yield "converted_added", "sentencepiece", {"added_tokens": converted["added_tokens"] + added_tokens(first)}
    yield "unknown_fused", "sentencepiece", {"model.byte_fallback": False}
    yield "unknown_each", "sentencepiece", {"model.byte_fallback": False, "model.fuse_unk": False}


def patched(base, patch):
    file = copy.deepcopy(base)
    for key, value in patch.items():
        section, _, member = key.partition(".")
        if member:
            file[section][member] = value
        else:
            file[section] = value
    return file


def bpe_cases(rng, bases):
    for name, base, patch in variants(bases["demo_llama"], bases["sentencepiece"]):
        tokenizer = Tokenizer.from_str(json.dumps(patched(bases[base], patch)))
        case = {"name": name, "base": base, "patch": patch, "texts": []}
        for _ in range(30):
            text = random_text(rng)
            tokenizer.encode_special_tokens = False
            parsed = tokenizer.encode(text, add_special_tokens=False).ids
            tokenizer.encode_special_tokens = True
            as_text = tokenizer.encode(text, add_special_tokens=False).ids
            case["texts"].append({"text": text, "ids": parsed, "ids_as_text": as_text})
        yield case


def chat_cases():
    conversations = [
        [("user", "hi there")],
        [("system", "Be brief.\n"), ("user", "  What is 2+2? \n\n"), ("assistant", " Four."), ("user", "\x1c\u3000and 3+3?")],
        [("user", "")],
        [("user", "  \n"), ("system", "x")],
    ]
    templates = {"llama3": None, "llama31": LLAMA31_CHAT, "chatml": CHATML_TURNS.replace("SYSTEM", ""),
                 "chatml_bos": "{{ bos_token }}" + CHATML_TURNS.replace("SYSTEM", ""),
                 "chatml_system": CHATML_TURNS.replace("SYSTEM", CHATML_SYSTEM)}
    file = json.loads((MODELS / "demo_llama/tokenizer.json").read_text())
    file["added_tokens"] += [added_token(4096, "<|im_start|>", special=True), added_token(4097, "<|im_end|>", special=True)]
    config = json.loads((MODELS / "demo_llama/tokenizer_config.json").read_text())
    for name, template in templates.items():
        config["chat_template"] = template or config["chat_template"]
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "tokenizer.json").write_text(json.dumps(file))
            (pathlib.Path(directory) / "tokenizer_config.json").write_text(json.dumps(config))
            tokenizer = AutoTokenizer.from_pretrained(directory)
        case = {"name": name, "chat_template": config["chat_template"], "conversations": []}
        for turns in conversations:
            messages = [{"role": role, "content": content} for role, content in turns]
            ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True)["input_ids"]
            case["conversations"].append({"messages": messages, "ids": ids})
        yield case


def wordpiece_cases(rng):
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("ABCDEFGHIJKLMNOPQRSTUVWXYZéïüß中文")
    cased = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(".,!?'\"()[]-") + letters + ["##" + letter for letter in letters]
             + ["the", "The", "café", "fer", "##ry", "hel", "##lo", "naïve", "0", "##0"])
    texts = [random_text(rng) for _ in range(40)] + ["x" * 100, "x" * 101, "e\u0301" * 60, "İstanbul", "a\u200bb\x00c\ufffdd", ""]
    for name, lower in [("task_classifier", True), ("cased", False)]:
        lines = (MODELS / "task_classifier/vocab.txt").read_text().split("\n")[:-1] if lower else cased
        tokenizer = BertTokenizer(vocab={line: i for i, line in enumerate(lines)}, do_lower_case=lower)
        case = {"name": name, "vocab": None if lower else cased, "lower_case": lower, "texts": []}
        for text in texts:
            parsed = tokenizer(text, add_special_tokens=False)["input_ids"]
            as_text = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text, split_special_tokens=True))
            case["texts"].append({"text": text, "ids": parsed, "ids_as_text": as_text})
        yield case


def main():
    rng = random.Random(SEED)
    bases = {"demo_llama": json.loads((MODELS / "demo_llama/tokenizer.json").read_text()), "sentencepiece": sentencepiece_like()}
    goldens = {"sentencepiece": bases["sentencepiece"], "bpe": list(bpe_cases(rng, bases)), "chat": list(chat_cases()), "wordpiece": list(wordpiece_cases(rng))}
    (DATA / "tokenizers.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
