#!/usr/bin/env python3
"""Checks #includes and CMake link lines against the table in layering.toml.

    layering.py [--root DIR] [--rules FILE]

Prints one line per broken rule (file, line, edge) and exits 1 when there is one, 2 when the rules
themselves are wrong.
"""

import argparse
import fnmatch
import functools
import pathlib
import re
import sys
import tomllib

from cmake_links import read_targets

TREES = ("engine", "server", "classifier_service", "client")
SOURCES = (".h", ".cc", ".cu", ".cuh")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
GENERATED = re.compile(r"^(windowkv|google/rpc|grpc/health)/.*\.pb\.h$")


class RulesError(Exception):
    pass


class Rules:
    """The table, with the questions asked of it."""

    def __init__(self, path):
        with open(path, "rb") as f:
            table = tomllib.load(f)
        self.rooms = table["rooms"]
        self.headers = table.get("headers", [])
        self.unreachable = table.get("unreachable", [])
        self.never_together = table.get("never_together", [])
        self.unlinkable = table.get("unlinkable", [])
        self.library_patterns = {h["name"]: re.compile(h["match"]) for h in self.headers}
        for room, allowed in self.rooms.items():
            for other in allowed:
                if other not in self.rooms:
                    raise RulesError(f"{room} may use {other}, which is no room of the table")
        for room in self.rooms:
            self._refuse_cycle(room, [])

    def _refuse_cycle(self, room, path):
        if room in path:
            cycle = " -> ".join(path[path.index(room):] + [room])
            raise RulesError(f"the table has a cycle: {cycle}")
        for other in self.rooms[room]:
            self._refuse_cycle(other, path + [room])

    def room_of(self, path):
        """The room that a repository path is in, or None."""
        for parent in pathlib.PurePosixPath(path).parents:
            if str(parent) in self.rooms:
                return str(parent)
        return None

    def edge_problem(self, room, other):
        if other == room or other in self.rooms[room]:
            return None
        allowed = ", ".join(self.rooms[room]) or "nothing"
        return f"edge {room} -> {other} is not allowed ({room} may use: {allowed})"


def matches_any(path, patterns):
    """Whether a repository path is one of the files or in one of the rooms."""
    return any(
        fnmatch.fnmatch(path, p) or fnmatch.fnmatch(pathlib.PurePosixPath(path).name, p) or
        path.startswith(p + "/") for p in patterns)


class Tree:
    """The sources under a root and what they include."""

    def __init__(self, root):
        self.root = root
        self.files = sorted(
            str(p.relative_to(root).as_posix())
            for tree in TREES
            for p in (root / tree).rglob("*")
            if p.suffix in SOURCES)

    @functools.cache
    def includes(self, path):
        """[(line number, included path, whether quoted)] of one file."""
        found = []
        text = (self.root / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                found.append((number, match.group(1) or match.group(2), bool(match.group(1))))
        return found

    @functools.cache
    def exists(self, path):
        return path.split("/")[0] in TREES + ("tests",) and (self.root / path).is_file()

    def reached(self, path):
        """{header: chain of files from `path` to it}, over the tree's own headers."""
        chains, waiting = {}, [(path, (path,))]
        while waiting:
            at, chain = waiting.pop(0)
            for _, header, _ in self.includes(at):
                if header in chains:
                    continue
                chains[header] = chain + (header,)
                if self.exists(header):
                    waiting.append((header, chains[header]))
        return chains


def check_include(rules, tree, path, room, header, quoted):
    """The problems of one #include."""
    sibling = str(pathlib.PurePosixPath(path).parent / header)
    if quoted and "/" not in header and tree.exists(sibling):
        yield f'"{header}" must be included by its repository path'
    if header.startswith("tests/"):
        yield f"edge {room} -> tests is not allowed (programs do not use test code)"
    other = "proto" if GENERATED.match(header) else rules.room_of(header)
    if other and other in rules.rooms:
        problem = rules.edge_problem(room, other)
        if problem:
            yield problem + f': includes "{header}"'
    for library in rules.headers:
        if re.search(library["match"], header) and not matches_any(path, library["only_in"]):
            yield (f"edge {room} -> {library['name']} is not allowed: includes <{header}>, "
                   f"allowed only in {', '.join(library['only_in'])}")


def check_reach(rules, tree, path):
    """The problems of what a file includes over other headers."""
    chains = tree.reached(path)

    def first(pattern):
        return next((chain for header, chain in chains.items() if re.search(pattern, header)), None)

    for rule in rules.unreachable:
        chain = first(rule["match"]) if matches_any(path, rule["from"]) else None
        if chain:
            yield f"must not reach {rule['name']}: {' -> '.join(chain)}"
    for rule in rules.never_together:
        found = [first(rules.library_patterns[name]) for name in rule["names"]]
        if all(found):
            yield (f"sees both {' and '.join(rule['names'])}: " +
                   "; ".join(" -> ".join(chain) for chain in found))


def check_sources(rules, tree):
    for path in tree.files:
        room = rules.room_of(path)
        if room is None:
            yield f"{path}:1: is in no room of layering.toml: add its folder to the table"
            continue
        for number, header, quoted in tree.includes(path):
            for problem in check_include(rules, tree, path, room, header, quoted):
                yield f"{path}:{number}: {problem}"
        for problem in check_reach(rules, tree, path):
            yield f"{path}:1: {problem}"


def links_of(targets, name):
    """{target: chain} of everything that linking `name` brings."""
    chains, waiting = {}, [(name, (name,))]
    while waiting:
        at, chain = waiting.pop(0)
        for link in targets[at].links if at in targets else ():
            if link.name not in chains:
                chains[link.name] = chain + (link.name,)
                waiting.append((link.name, chains[link.name]))
    return chains


def check_link(rules, targets, target, room, link):
    """The problem of one link line, or None."""
    other = "proto" if link.name == "windowkv::proto" else None
    if link.name in targets:
        other = rules.room_of(targets[link.name].file)
    problem = rules.edge_problem(room, other) if other else None
    if problem:
        return f"{problem}: {target.name} links {link.name}"
    for library in rules.headers:
        rooms = [p for p in library["only_in"] if p in rules.rooms]
        if link.name in library["libraries"] and room not in rooms:
            return (f"edge {room} -> {library['name']} is not allowed: "
                    f"{target.name} links {link.name}")
    return None


def check_links(rules, root):
    targets = read_targets(root, TREES)
    for target in dict.fromkeys(targets.values()):
        room = rules.room_of(target.file)
        if room is None:
            yield f"{target.file}:{target.line}: {target.name} is in no room of layering.toml"
            continue
        for link in target.links:
            problem = check_link(rules, targets, target, room, link)
            if problem:
                yield f"{target.file}:{link.line}: {problem}"
        for rule in rules.unlinkable:
            chains = links_of(targets, target.name) if room in rule["from"] else {}
            for library in rule["libraries"]:
                if library in chains:
                    yield (f"{target.file}:{target.line}: must not link {library}: "
                           f"{' -> '.join(chains[library])}")


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=here.parent.parent)
    parser.add_argument("--rules", type=pathlib.Path, default=here / "layering.toml")
    args = parser.parse_args()
    try:
        rules = Rules(args.rules)
    except (RulesError, KeyError, tomllib.TOMLDecodeError) as error:
        print(f"{args.rules}: {error}", file=sys.stderr)
        return 2
    tree = Tree(args.root)
    problems = list(check_sources(rules, tree)) + list(check_links(rules, args.root))
    for problem in problems:
        print(problem)
    print(f"layering: {len(tree.files)} files, {len(problems)} broken rules", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
