"""The flags that a program has, by its --help, and those that a workload gives it."""

import functools
import re
import subprocess

import manifests
import tools

_FLAG = re.compile(r"^  (?:-h,)?--([a-z-]+)(?: (.*?))?(?:=(\S+))?(?: \(Env:(\w+)\))?\s*(?:Print.*)?$")


@functools.cache
def help_text(program):
    return subprocess.run([tools.BIN / program, "--help"], capture_output=True, text=True,
                          timeout=30, check=True).stdout


@functools.cache
def known(program):
    """Flag → its default, or None."""
    return {match[1]: match[3] for match in _matches(program)}


@functools.cache
def environment(program):
    """Environment variable → its flag."""
    return {match[4]: match[1] for match in _matches(program) if match[4]}


def _matches(program):
    lines = help_text(program).splitlines()
    return [match for match in map(_FLAG.match, lines) if match]


def config_lines(text):
    """The name=value pairs of a --config file, in order."""
    lines = (line.strip() for line in text.splitlines())
    return [tuple(line.split("=", 1)) for line in lines if line and not line.startswith("#")]


def given(objects, item):
    """Every flag that the workload gives its program: (where, flag or variable, value)."""
    container = manifests.server(item)
    found = []
    for argument in container["args"]:
        name, _, value = argument.removeprefix("--").partition("=")
        found.append(("args", name, value))
    for variable in container["env"]:
        found.append(("env", variable["name"], variable["value"]))
    for name in manifests.config_maps(item).values():
        for file, text in manifests.named(objects, "ConfigMap", name)["data"].items():
            found += [(file, flag, value) for flag, value in config_lines(text)]
    return found


def effective(objects, item):
    """Flag → value: what the workload gives, else the program's default."""
    program = item["metadata"]["name"]
    values = dict(known(program))
    for where, name, value in given(objects, item):
        values[environment(program)[name] if where == "env" else name] = value
    return values
