"""Classifies with transformers as its users do, to compare the classifier with in the same run.

For each line on stdin, the name of an entry of --texts, classifies that entry's texts in one call, padded to the longest, and
prints {"seconds", "tasks"} as JSON. compare_classifier.py drives it.
"""

import argparse
import json
import pathlib
import sys
import time

import torch
import transformers


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="checkpoint directory")
    parser.add_argument("--texts", type=pathlib.Path, required=True, help="JSON object of lists of texts")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


@torch.inference_mode()
def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.disable_progress_bar()
    texts = json.loads(arguments.texts.read_text())
    tokenizer = transformers.BertTokenizer(str(arguments.model / "vocab.txt"), do_lower_case=True)
    model = transformers.BertForSequenceClassification.from_pretrained(
        arguments.model, dtype=getattr(torch, arguments.dtype), attn_implementation="sdpa").eval()
    for line in sys.stdin:
        begin = time.perf_counter()
        batch = tokenizer(texts[line.strip()], padding=True, truncation=True, max_length=512, return_tensors="pt")
        choices = model(**batch).logits.float().softmax(-1).argmax(-1).tolist()
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "tasks": [model.config.id2label[choice] for choice in choices]}), flush=True)


if __name__ == "__main__":
    main()
