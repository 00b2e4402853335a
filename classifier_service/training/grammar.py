"""A small text grammar: the phrases of the training prompts are data, not code.

A grammar file has sections. "[name]" begins a rule, each further line is one alternative of it:

    [greeting]
    3* hello {person:1}            an alternative taken three times as often
    (good|lovely) (morning|day|), {person:1} and {person:2}

"{rule}" expands a rule, "{rule:1}" the same expansion wherever it stands within one text, "(a|b|)" is
a choice made on the spot; a backslash before a bracket or bar makes it plain text. Lines that begin
with "#" are comments.
"""

import re
from pathlib import Path

_TOKEN = re.compile(r"\\(.)|\{([a-z_]+)(?::(\w+))?\}|([(|)])")
_WEIGHT = re.compile(r"(\d+)\* ")


class Grammar:
    """Rules by name. Constant after loading."""

    def __init__(self, directory):
        self._rules = {}
        for path in sorted(Path(directory).glob("*.txt")):
            self._read(path)

    def _read(self, path):
        alternatives = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            if header := re.fullmatch(r"\[([a-z_]+)\]", line):
                if header[1] in self._rules:
                    raise ValueError(f"{path.name}:{number}: rule {header[1]} is already there")
                alternatives = self._rules[header[1]] = []
            elif alternatives is None:
                raise ValueError(f"{path.name}:{number}: no rule has begun")
            else:
                weight = _WEIGHT.match(line)
                text = line[weight.end():] if weight else line
                alternatives += [_parse(text)] * (int(weight[1]) if weight else 1)

    def expand(self, random, rule, given=None):
        """One text of `rule`. `given` maps names to texts that stand in for rules of that name; what the
        expansion binds is added to it under "rule:number"."""
        given = {} if given is None else given
        if rule in given:
            return given[rule]
        return self._write(random, random.choice(self._rules[rule]), given)

    def write(self, random, text, given=None):
        """The expansion of a text that is not a rule of its own."""
        return self._write(random, _parse(text), {} if given is None else given)

    def alternatives(self, rule):
        return len(self._rules[rule])

    def check(self, provided):
        """Raises unless every rule that is mentioned exists or is among the `provided` names."""
        for name, alternatives in self._rules.items():
            for mentioned in {m for nodes in alternatives for m in _mentioned(nodes)}:
                if mentioned not in self._rules and mentioned not in provided:
                    raise ValueError(f"rule {name} mentions {mentioned}, which is no rule")

    def _write(self, random, nodes, given):
        return "".join(self._node(random, node, given) for node in nodes)

    def _node(self, random, node, given):
        kind, value = node
        if kind == "text":
            return value
        if kind == "choice":
            return self._write(random, random.choice(value), given)
        rule, number = value
        if number is None:
            return self.expand(random, rule, given)
        key = f"{rule}:{number}"
        if key not in given:
            given[key] = self.expand(random, rule, given)
        return given[key]


def _mentioned(nodes):
    for kind, value in nodes:
        if kind == "rule":
            yield value[0]
        elif kind == "choice":
            for branch in value:
                yield from _mentioned(branch)


def _parse(text):
    """Nodes: ("text", str), ("rule", (name, number or None)) or ("choice", branches)."""
    stack = [[[]]]  # open choices, each with its branches; the lowest is the text itself
    end = 0
    for token in _TOKEN.finditer(text):
        if token.start() > end:
            stack[-1][-1].append(("text", text[end:token.start()]))
        end = token.end()
        escaped, rule, number, bracket = token.groups()
        if escaped is not None:
            stack[-1][-1].append(("text", "\n" if escaped == "n" else escaped))
        elif rule is not None:
            stack[-1][-1].append(("rule", (rule, number)))
        elif bracket == "(":
            stack.append([[]])
        elif bracket == "|" and len(stack) > 1:
            stack[-1].append([])
        elif bracket == ")" and len(stack) > 1:
            branches = stack.pop()
            stack[-1][-1].append(("choice", branches))
        else:
            raise ValueError(f"{text!r}: a '{bracket}' without its bracket")
    if end < len(text):
        stack[-1][-1].append(("text", text[end:]))
    if len(stack) > 1:
        raise ValueError(f"{text!r}: a bracket stays open")
    return stack[0][0]
