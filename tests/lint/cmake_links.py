"""Reads which target links which from the CMakeLists.txt files of the tree."""

import dataclasses
import re

CALL = re.compile(r"\b(windowkv_library|windowkv_executable|target_link_libraries)\s*\(([^)]*)\)")
COMMENT = re.compile(r"#[^\n]*")
LINK_KEYWORDS = {"PUBLIC", "PRIVATE", "INTERFACE", "LIBRARIES"}
OTHER_KEYWORDS = {"SOURCES"}


@dataclasses.dataclass(frozen=True)
class Link:
    name: str
    line: int


@dataclasses.dataclass(eq=False)
class Target:
    name: str
    file: str
    line: int
    links: list


def read_links(words, line_of, linking):
    """The words that name libraries. `linking`: whether words before any keyword do."""
    for word in words:
        if word.group() in LINK_KEYWORDS:
            linking = True
        elif word.group() in OTHER_KEYWORDS:
            linking = False
        elif linking:
            yield Link(word.group(), line_of(word.start()))


def read_file(text, file, targets):
    # Comments become spaces, so that offsets keep telling lines.
    text = COMMENT.sub(lambda m: " " * len(m.group()), text)
    for call in CALL.finditer(text):
        def line_of(offset, start=call.start(2)):
            return text.count("\n", 0, start + offset) + 1

        words = list(re.finditer(r'[^\s"]+', call.group(2)))
        if not words:
            continue
        kind, name = call.group(1), words[0].group()
        if kind == "target_link_libraries":
            target = targets.get(name)
            if target:
                target.links += read_links(words[1:], line_of, linking=True)
            continue
        target = Target(name, file, line_of(words[0].start()), [])
        target.links += read_links(words[1:], line_of, linking=False)
        targets[name] = target
        if kind == "windowkv_library":
            target.name = f"windowkv::{name}"
            targets[f"windowkv_{name}"] = targets[target.name] = targets.pop(name)


def read_targets(root, trees):
    """{name: Target} of all targets in the trees; a library stands under both of its names."""
    targets = {}
    for tree in trees:
        for path in sorted((root / tree).rglob("CMakeLists.txt")):
            file = path.relative_to(root).as_posix()
            read_file(path.read_text(encoding="utf-8"), file, targets)
    return targets
