"""Writes the demo model's documents and what transformers answers to two of them.

Run: python make_demo_goldens.py (a minute). README.md says which files and their schemas.
"""

import json
import pathlib
import random

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import long_document

DATA = pathlib.Path(__file__).parent / "data"
SEED, MIN_TOKENS, MAX_TOKENS = 20, 6000, 7900
COMMITTED = 8
SHORT_SEED, SHORT_TOKENS = 8, 570
LEAST_MARGIN = 2e-3
MAX_NEW_TOKENS = 32


def chat_ids(tokenizer, item):
    messages = [{"role": "user", "content": long_document.user_turn(item)}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


@torch.no_grad()
def make_case(name, item, model, tokenizer):
    """What the model says in float32, token by token over a full cache, up to and with the end id."""
    ids = chat_ids(tokenizer, item)
    out = model(torch.tensor([ids]), use_cache=True, logits_to_keep=1)
    first = out.logits[0, -1]
    tokens, logits = [], first
    while len(tokens) < MAX_NEW_TOKENS and (not tokens or tokens[-1] not in model.config.eos_token_id):
        best = torch.topk(logits, 2)
        assert best.values[0] - best.values[1] > LEAST_MARGIN, name
        tokens.append(best.indices[0].item())
        out = model(torch.tensor([tokens[-1:]]), past_key_values=out.past_key_values, use_cache=True)
        logits = out.logits[0, -1]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    assert text == item["answer"], (name, text, item["answer"])
    top = torch.topk(first, 20)
    return {"name": name, "prompt_tokens": len(ids), "greedy": tokens, "text": text,
            "top_logits": [[i, float(f"{v:.8g}")] for i, v in zip(top.indices.tolist(), top.values.tolist())],
            "user_turn": long_document.user_turn(item), "input_ids": ids}


def main():
    torch.set_num_threads(2)
    documents = long_document.make_documents(SEED, COMMITTED, MIN_TOKENS, MAX_TOKENS)
    (DATA / "long_documents.jsonl").write_text("".join(json.dumps(d) + "\n" for d in documents))
    example = documents[0]
    (DATA / "example_document.txt").write_text(example["document"] + "\n")
    question = {"question": example["question"], "answer": example["answer"]}
    (DATA / "example_question.json").write_text(json.dumps(question, indent=1) + "\n")

    tokenizer = AutoTokenizer.from_pretrained(long_document.MODEL)
    model = AutoModelForCausalLM.from_pretrained(long_document.MODEL, dtype=torch.float32,
                                                 attn_implementation="sdpa").eval()
    short = long_document.make_document(random.Random(SHORT_SEED), SHORT_TOKENS, tokenizer.backend_tokenizer)
    cases = [make_case("demo_short", short, model, tokenizer),
             make_case("example_document", example, model, tokenizer)]
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    (DATA / "demo_llama.json").write_text('{"cases":[\n' + lines + "\n]}\n")
    for case in cases:
        print(case["name"], case["prompt_tokens"], "tokens:", case["text"])


if __name__ == "__main__":
    main()
