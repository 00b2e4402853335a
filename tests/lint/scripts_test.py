#!/usr/bin/env python3
"""Runs the checks' scripts on small repositories."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Checkout(unittest.TestCase):
    """A repository with one commit, a script of ours and tools of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name).resolve() / "checkout"
        self.tools = self.root.parent / "tools"
        self.tools.mkdir()
        self.write("a.cc", "int A();\n")
        self.git("init", "--quiet")
        self.commit()

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=self.root, check=True,
                       timeout=60)

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "m")

    def run_script(self, name, *arguments):
        (self.root / "tests/lint").mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / name, self.root / "tests/lint")
        path = f"{self.tools}:{os.environ['PATH']}"
        return subprocess.run([self.root / "tests/lint" / name, *arguments], env={**os.environ, "PATH": path},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


    def tool(self, name, *lines):
        (self.tools / name).write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
        (self.tools / name).chmod(0o755)


class FormatTest(Checkout):
    """A clang-format that finds fault with the files that have any text."""

    def setUp(self):
        super().setUp()
        self.write("a.cc", "")
        self.tool("clang-format", 'for file; do case $file in -*) ;; *) [ ! -s "$file" ] || exit 1 ;; esac; done')

    def test_finds_nothing_where_nothing_is(self):
        result = self.run_script("check_format.sh")
        self.assertEqual((result.stdout, result.returncode), ("format: 1 files as clang-format writes them\n", 0))

    def test_reads_sources_and_headers_of_both_languages(self):
        for name in ("b.h", "b.cc", "b.cu", "b.cuh"):
            with self.subTest(name):
                self.write(name, "int  b;")
                self.commit()
                self.assertNotEqual(self.run_script("check_format.sh").returncode, 0)
                (self.root / name).unlink()
                self.commit()


class ClangTidyTest(Checkout):
    """A clang-tidy that says what it is given and fails for b.cc."""

    def setUp(self):
        super().setUp()
        self.tool("clang-tidy", "for last; do :; done", "echo checked ${last##*/}", "[ ${last##*/} != b.cc ]")
        self.compile("a.cc")

    def compile(self, *sources):
        entries = [{"directory": str(self.root), "file": str(self.root / source)} for source in sources]
        self.write("build/release/compile_commands.json", json.dumps(entries, indent=2))
        self.write(".gitignore", "/build/\n")

    def test_checks_what_changed(self):
        self.write("a.cc", "int A2();\n")
        result = self.run_script("run_clang_tidy.sh", "HEAD")
        self.assertIn("checked a.cc\n", result.stdout)
        self.assertEqual(result.returncode, 0)

    def test_fails_with_a_source(self):
        self.write("b.cc", "int B();\n")
        self.compile("a.cc", "b.cc")
        self.commit()
        self.assertNotEqual(self.run_script("run_clang_tidy.sh", "HEAD~1").returncode, 0)

    def test_checks_a_new_source_that_is_not_added_yet(self):
        self.write("new.cc", "int New();\n")
        self.compile("a.cc", "new.cc")
        for base in ("HEAD", "--all"):
            self.assertIn("checked new.cc\n", self.run_script("run_clang_tidy.sh", base).stdout)

    def test_names_what_is_not_compiled(self):
        self.write("engine/cuda_only.cc", "int C();\n")
        self.write("engine/alone.h", "int D();\n")
        result = self.run_script("run_clang_tidy.sh", "HEAD")
        self.assertIn("not compiled by build/release, not checked: engine/alone.h engine/cuda_only.cc\n", result.stdout)
        self.assertEqual(result.returncode, 0)

    def test_fails_when_nothing_is_configured(self):
        shutil.rmtree(self.root / "build")
        self.write("a.cc", "int A2();\n")
        result = self.run_script("run_clang_tidy.sh", "HEAD")
        self.assertRegex(result.stdout, r"^clang-tidy: .*cmake --preset release.*\n$")
        self.assertEqual(result.returncode, 1)

    def test_fails_when_there_is_no_such_commit(self):
        self.assertNotEqual(self.run_script("run_clang_tidy.sh", "absent").returncode, 0)


if __name__ == "__main__":
    unittest.main()
