"""Writes data/classifier.json and the random checkpoints data/bert_tiny*/ with what transformers computes.

Run: python make_classifier_goldens.py (seconds). README.md gives the schemas.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

import long_document

DATA = pathlib.Path(__file__).parent / "data"
ROOT = pathlib.Path(__file__).parents[2]
CLASSIFIER = ROOT / "deploy/models/task_classifier"
CONVERTER = ROOT / "classifier_service/training/convert_pth_head.py"
TINY_SEED = 3

PASSAGE = (
    "The ferry to Marrow Island leaves at ten past seven from the east pier. In winter it waits for the mail "
    "van, which is often late. Tickets cost four crowns; children under six travel free. The crossing takes forty "
    "minutes when the sea is calm. Captain Odile Ferrant has run the service since her uncle retired.")
MEETING = (
    "Amara: The new shelves arrive on Friday. Tom: Then we close the reading room for a day. Amara: Half a day "
    "is enough if two people help. Tom: Agreed, and we tell the school. Lin: I can write to them tonight.")

SHORT_TEXTS = [
    f"{PASSAGE}\n\nWho runs the ferry service?",
    f"Answer the question from the text.\n\nText: {PASSAGE}\n\nQuestion: How long is the crossing?\nAnswer:",
    f"{PASSAGE}\n\nSummarise the text in one sentence.",
    f"Write a short summary of this meeting.\n\n{MEETING}\n\nSummary:",
    f"{MEETING}\n\nWho will write to the school?",
    "What is the capital of Portugal?",
    "Text: dreadful service, cold soup Type: negative\nText: friendly and quick Type: positive\n"
    "Text: never again Type:",
    "def add(a, b):\n    return a + b\n\ndef subtract(a, b):\n    ",
    "There are several paragraphs below, some of them repeated. How many different paragraphs are there?\n\n"
    f"Paragraph 1: {MEETING}\n\nParagraph 2: {PASSAGE}\n\nParagraph 3: {MEETING}",
    "| town | people |\n|---|---|\n| Arl | 1,204 |\n| Besk | 880 |\n| Corv | 3,071 |\n\nHow many people live in Besk?",
    "<|user|>\nExtract the ticket price from: " + PASSAGE + "\n<|assistant|>\n",
    f"Give the main points of the discussion about opening hours:\n{MEETING}",
    "Is the statement true or false? \"Children under six pay half.\"\n" + PASSAGE,
    "x",
    "   \t\n ",
    "",
    "Café Münster naïve façade coöperate Ångström ÉLÈVE",
    "日本語のテキスト and 中文 mixed with English",
    "emoji 😀 zero\u200bwidth soft\u00adhyphen tab\tnul-free \u0001control",
    "a" * 101 + " " + "b" * 100,
    "don't can't -- e.g. U.S.A. 3.14159 $5,000 (50%) [sic] {x} a_b c/d",
    "[CLS] is a marker, [SEP] too, and [MASK] as well",
]


def long_texts():
    document = long_document.make_documents(5, 1, 6000, 7900)[0]
    filler = " ".join(f"The clerk noted item {i} near the bridge." for i in range(150))
    return [long_document.user_turn(document),
            f"Summarise the following notes.\n\n{filler}",
            f"{filler}\n\nWhich item was noted last?",
            " ".join(["bridge"] * 510),
            " ".join(["bridge"] * 510 + ["market"]),
            " ".join(["bridge"] * 255 + ["market"] * 300 + ["station"] * 255)]


def input_ids(tokenizer, text):
    """[CLS], all pieces or the first 255 and last 255 of more than 510, [SEP]."""
    pieces = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text, split_special_tokens=True))
    if len(pieces) > 510:
        pieces = pieces[:255] + pieces[-255:]
    return [tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id]


@torch.no_grad()
def logits(model, ids):
    ids = torch.tensor([ids])
    out = model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
    return [float(f"{v:.8g}") for v in out.logits[0].tolist()]


def load(directory):
    return BertForSequenceClassification.from_pretrained(directory, dtype=torch.float32,
                                                         attn_implementation="eager").eval()


def write_cases(path, cases):
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path.write_text('{"cases":[\n' + lines + "\n]}\n")
    print(path.relative_to(DATA), len(cases), "cases", path.stat().st_size, "bytes")


def write_classifier():
    model = load(CLASSIFIER)
    tokenizer = BertTokenizer(str(CLASSIFIER / "vocab.txt"), do_lower_case=True)
    cases = []
    for text in SHORT_TEXTS + long_texts():
        ids = input_ids(tokenizer, text)
        cases.append({"text": text, "input_ids": ids, "logits": logits(model, ids)})
    write_cases(DATA / "classifier.json", cases)


def tiny_vocabulary():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    words = ["the", "The", "cat", "dog", "sat", "on", "un", "##ing", "##s"]
    return (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + words
            + list("0123456789.,?!") + list(letters) + [f"##{c}" for c in letters.lower()])


def random_weights(model, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "LayerNorm.weight" in name:
            weights[name] = 1 + 0.25 * noise
        elif parameter.dim() == 1 or "embeddings" in name:
            weights[name] = 0.4 * noise
        else:
            weights[name] = 1.5 / parameter.shape[-1] ** 0.5 * noise
    return weights


def write_tiny():
    directory = DATA / "bert_tiny"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    vocabulary = tiny_vocabulary()
    (directory / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer",
                                                                 "do_lower_case": False}) + "\n")
    config = dict(architectures=["BertForSequenceClassification"], model_type="bert", vocab_size=len(vocabulary),
                  hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, hidden_act="gelu",
                  max_position_embeddings=64, type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=0,
                  id2label={"0": "localization", "1": "aggregation"}, label2id={"localization": 0, "aggregation": 1},
                  torch_dtype="float32")
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    weights = random_weights(BertForSequenceClassification(BertConfig(**config)), TINY_SEED)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)
    model = load(directory)
    tokenizer = BertTokenizer(str(directory / "vocab.txt"), do_lower_case=False)
    rng = random.Random(TINY_SEED)
    cases = []
    for text in ["The cat sat on the dog.", "the cats unsat", "The DOG ran, 42 times?", "A", "", "é cat"]:
        ids = input_ids(tokenizer, text)
        cases.append({"text": text, "input_ids": ids, "logits": logits(model, ids)})
    for length in (17, 64):
        ids = [2, *(rng.randrange(5, len(vocabulary)) for _ in range(length - 2)), 3]
        cases.append({"input_ids": ids, "logits": logits(model, ids)})
    write_cases(directory / "golden.json", cases)


# Encoders of other shapes with the heads that BertForSequenceClassification does not have, and the authors' layout: an
# encoder and a head in a file of PyTorch's own.
VARIANTS = [
    {"name": "bert_tiny_cls", "input": "cls", "temperature": 2.5, "labels": ["localization", "aggregation"],
     "shape": dict(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4,
                   max_position_embeddings=48, type_vocab_size=1, layer_norm_eps=1e-5)},
    {"name": "bert_tiny_mean", "input": "mean", "temperature": 1.0, "labels": ["aggregation", "localization"],
     "shape": dict(hidden_size=20, intermediate_size=52, num_hidden_layers=1, num_attention_heads=1,
                   max_position_embeddings=600, type_vocab_size=3, layer_norm_eps=1e-12)},
    {"name": "bert_tiny_pth", "input": "pooler", "temperature": 0.5, "labels": ["aggregation", "localization"], "pth": True,
     "shape": dict(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=6,
                   max_position_embeddings=32, type_vocab_size=2, layer_norm_eps=1e-6)},
]


@torch.no_grad()
def variant_logits(model, head, kind, ids):
    """What a head reads, from the outputs of BertModel."""
    out = model(input_ids=torch.tensor([ids]))
    tokens = out.last_hidden_state[0]
    read = {"pooler": lambda: out.pooler_output[0], "cls": lambda: tokens[0], "mean": lambda: tokens.mean(0)}[kind]()
    return [float(f"{v:.8g}") for v in head(read).tolist()]


def write_variant(variant):
    directory = DATA / variant["name"]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    vocabulary = tiny_vocabulary()
    config = dict(architectures=["BertModel"], model_type="bert", vocab_size=len(vocabulary), hidden_act="gelu",
                  pad_token_id=0, **variant["shape"])
    pooler = variant["input"] == "pooler"
    model = BertModel(BertConfig(**config, attn_implementation="eager"), add_pooling_layer=pooler).eval()
    weights = random_weights(model, TINY_SEED)
    model.load_state_dict(weights, strict=False)
    head = torch.nn.Linear(config["hidden_size"], 2)
    head.load_state_dict(random_weights(head, TINY_SEED + 1))
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder) if variant.get("pth") else directory
        (base / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        (base / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}) + "\n")
        if variant.get("pth"):
            (base / "config.json").write_text(json.dumps(config, indent=1) + "\n")
            save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
            torch.save({f"fc.{name}": value for name, value in head.state_dict().items()}, base / "head.pth")
            subprocess.run([sys.executable, CONVERTER, "--bert", base, "--head", base / "head.pth", "--out", directory,
                            "--labels", ",".join(variant["labels"]), "--classifier-input", variant["input"],
                            "--temperature", str(variant["temperature"])], check=True)
        else:
            config.update(id2label={str(i): label for i, label in enumerate(variant["labels"])},
                          classifier_input=variant["input"], temperature=variant["temperature"])
            (base / "config.json").write_text(json.dumps(config, indent=1) + "\n")
            save_file({**weights, "classifier.weight": head.weight.data, "classifier.bias": head.bias.data},
                      base / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)
    rng = random.Random(TINY_SEED)
    cases = []
    for length in (3, 2, 17, 17, 9, min(config["max_position_embeddings"], 512), 5, 12):
        ids = [2, *(rng.randrange(5, len(vocabulary)) for _ in range(length - 2)), 3]
        cases.append({"input_ids": ids, "logits": variant_logits(model, head, variant["input"], ids)})
    tokenizer = BertTokenizer(str(directory / "vocab.txt"), do_lower_case=False)
    for text in ["The cat sat on the dog.", "the cats unsat", "A", "é cat"]:
        ids = input_ids(tokenizer, text)
        cases.append({"text": text, "input_ids": ids, "logits": variant_logits(model, head, variant["input"], ids)})
    write_cases(directory / "golden.json", cases)


def main():
    torch.set_num_threads(1)
    write_classifier()
    write_tiny()
    for variant in VARIANTS:
        write_variant(variant)


if __name__ == "__main__":
    main()
