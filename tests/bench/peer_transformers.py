"""Measures transformers on a checkpoint, to compare the engine with in the same run.

Prints one JSON object per line and nothing else on stdout:
  {"what": "setup", "model", "dtype", "threads", "transformers", "torch"}
  {"what": "prefill_memory", "tokens", "bytes"}      growth of peak resident memory while reading the prompt
  {"what": "prefill", "tokens", "seconds", "runs"}   median time to the first token, with a KV cache
  {"what": "decode_step", "cached_tokens", "seconds", "steps"}  median time of one more token
"""

import argparse
import json
import pathlib
import statistics
import time

import torch
import transformers


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def lengths(text):
    return [positive(part) for part in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint directory")
    parser.add_argument("--ids", required=True, type=pathlib.Path,
                        help="JSON array of prompt token ids, as long as the longest length")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--prefill-tokens", type=lengths, default=[2000, 6000, 8000], help="2000,6000,8000")
    parser.add_argument("--runs", type=positive, default=5, help="timed prefills per length (5)")
    parser.add_argument("--decode-tokens", type=positive, default=8000, help="cached tokens before decoding (8000)")
    parser.add_argument("--decode-steps", type=positive, default=48, help="timed steps (48)")
    parser.add_argument("--memory-tokens", type=positive, default=8000, help="prompt whose memory is measured (8000)")
    arguments = parser.parse_args()
    longest = max(*arguments.prefill_tokens, arguments.decode_tokens, arguments.memory_tokens)
    arguments.ids = json.loads(arguments.ids.read_text())
    if len(arguments.ids) < longest:
        parser.error(f"--ids holds {len(arguments.ids)} tokens, {longest} are needed")
    return arguments


def report(what, **values):
    print(json.dumps({"what": what, **values}), flush=True)


def resident_bytes(field):
    """VmRSS, or VmHWM: the highest value since it was last reset."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


class Peer:
    def __init__(self, arguments):
        self.ids = torch.tensor([arguments.ids])
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            arguments.model, dtype=getattr(torch, arguments.dtype), attn_implementation="sdpa").eval()

    def read(self, tokens):
        """The first token after a prompt, and the cache."""
        return self.step(self.ids[:, :tokens], None)

    def step(self, ids, cache):
        out = self.model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1].argmax(-1, keepdim=True), out.past_key_values

    def prefill_seconds(self, tokens):
        start = time.perf_counter()
        token, _ = self.read(tokens)
        token.item()
        return time.perf_counter() - start

    def decode_step_seconds(self, tokens, steps):
        token, cache = self.read(tokens)
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            token, cache = self.step(token, cache)
            token.item()
            seconds.append(time.perf_counter() - start)
        return seconds

    def prefill_bytes(self, tokens):
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        before = resident_bytes("VmRSS")
        token, cache = self.read(tokens)
        token.item()
        return resident_bytes("VmHWM") - before


@torch.inference_mode()
def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.disable_progress_bar()
    peer = Peer(arguments)
    report("setup", model=arguments.model, dtype=arguments.dtype, threads=arguments.threads,
           transformers=transformers.__version__, torch=torch.__version__)
    # A short prompt first, so that what is loaded once isn't counted; memory before the timings,
    # while the allocator still holds nothing for reuse.
    peer.decode_step_seconds(64, 4)
    report("prefill_memory", tokens=arguments.memory_tokens, bytes=peer.prefill_bytes(arguments.memory_tokens))
    for tokens in arguments.prefill_tokens:
        peer.prefill_seconds(tokens)
        seconds = statistics.median(peer.prefill_seconds(tokens) for _ in range(arguments.runs))
        report("prefill", tokens=tokens, seconds=seconds, runs=arguments.runs)
    steps = peer.decode_step_seconds(arguments.decode_tokens, arguments.decode_steps)
    report("decode_step", cached_tokens=arguments.decode_tokens, seconds=statistics.median(steps), steps=len(steps))


if __name__ == "__main__":
    main()
