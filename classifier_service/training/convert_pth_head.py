"""Joins a BERT checkpoint and a classification head that PyTorch saved by itself into one checkpoint.

    python convert_pth_head.py --bert bert-base-cased --head classifier.pth --labels localization,aggregation --out DIR

DIR gets model.safetensors, config.json with the labels in the order of the head's outputs, and the tokenizer's files. The
head is a state dict (a .pth file, maybe under "state_dict" or "model_state_dict") with one matrix of a row per label and
its bias; encoder weights beside it, fine-tuned with the head, replace those of the checkpoint. The file is read with
weights_only, which runs no code of it.
"""

import argparse
import json
import pathlib
import shutil
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

TASKS = ("localization", "aggregation")
TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json")
PREFIX = "bert."


class ConversionError(Exception):
    pass


def read_state(path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ConversionError(f"{path}: expected a dictionary of tensors, found {type(state).__name__}")
    # Data-parallel training puts this before every name.
    return {name.removeprefix("module."): value for name, value in state.items()}


def is_encoder(name):
    return name.removeprefix(PREFIX).startswith(("embeddings.", "encoder.", "pooler."))


def find_head(state, path, labels, hidden_size):
    """The weight [labels, hidden_size] and the bias [labels]."""
    shape = (labels, hidden_size)
    found = [name for name, value in state.items()
             if name.rpartition(".")[2] == "weight" and tuple(value.shape) == shape and not is_encoder(name)]
    if len(found) != 1:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in state.items() if not is_encoder(name))
        raise ConversionError(f"{path}: expected one weight of shape {list(shape)}, found {len(found)} in [{shapes}]")
    bias = state.get(found[0].removesuffix("weight") + "bias")
    if bias is None or tuple(bias.shape) != (labels,):
        raise ConversionError(f"{path}: expected a bias of shape [{labels}] beside {found[0]}, "
                              f"found {'none' if bias is None else list(bias.shape)}")
    return state[found[0]], bias


def read_encoder(directory):
    """The encoder's tensors under the names of BertModel."""
    tensors = {}
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                if is_encoder(name) and not name.endswith("position_ids"):
                    tensors[name.removeprefix(PREFIX)] = file.get_tensor(name)
    if not tensors:
        raise ConversionError(f"{directory}: expected *.safetensors with an encoder, found none")
    return tensors


def replace_weights(encoder, state, path):
    for name, value in state.items():
        if not is_encoder(name) or name.endswith("position_ids"):
            continue
        name = name.removeprefix(PREFIX)
        if name not in encoder or encoder[name].shape != value.shape:
            expected = list(encoder[name].shape) if name in encoder else "no such tensor"
            raise ConversionError(f"{path}: {name}: expected {expected}, found {list(value.shape)}")
        encoder[name] = value


def convert(bert, head, labels, classifier_input, temperature, out):
    if sorted(labels) != sorted(TASKS):
        raise ConversionError(f"--labels: expected {' and '.join(TASKS)}, once each, found {','.join(labels)}")
    if not 0 < temperature <= 100:
        raise ConversionError(f"--temperature: expected a number in (0, 100], found {temperature}")
    config = json.loads((bert / "config.json").read_text())
    state = read_state(head)
    weight, bias = find_head(state, head, len(labels), config["hidden_size"])
    encoder = read_encoder(bert)
    replace_weights(encoder, state, head)
    tensors = {PREFIX + name: value.contiguous() for name, value in encoder.items()}
    tensors["classifier.weight"] = weight.contiguous()
    tensors["classifier.bias"] = bias.contiguous()

    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config["architectures"] = ["BertForSequenceClassification"]
    config["id2label"] = {str(i): label for i, label in enumerate(labels)}
    config["label2id"] = {label: i for i, label in enumerate(labels)}
    config["classifier_input"] = classifier_input
    config["temperature"] = temperature
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    for name in TOKENIZER_FILES:
        if (bert / name).exists():
            shutil.copyfile(bert / name, out / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bert", type=pathlib.Path, required=True, help="directory of the BERT checkpoint (safetensors)")
    parser.add_argument("--head", type=pathlib.Path, required=True, help="the head's .pth file")
    parser.add_argument("--labels", required=True, help="the tasks in the order of the head's outputs, with a comma")
    parser.add_argument("--classifier-input", choices=["pooler", "cls", "mean"], default="pooler",
                        help="what of the encoder's output the head was trained on")
    parser.add_argument("--temperature", type=float, default=1.0, help="divides the head's outputs")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where the checkpoint goes")
    arguments = parser.parse_args()
    try:
        convert(arguments.bert, arguments.head, arguments.labels.split(","), arguments.classifier_input,
                arguments.temperature, arguments.out)
    except (ConversionError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
