#!/usr/bin/env python3
"""Packs a program of a small checkout."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class PackTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = pathlib.Path(directory.name)
        self.checkout = self.folder / "checkout"
        (self.checkout / "tests/gpu").mkdir(parents=True)
        for script in ("pack.sh", "run.sh"):
            shutil.copy(HERE / script, self.checkout / "tests/gpu")
        (self.checkout / "build/cuda/bin").mkdir(parents=True)
        shutil.copy(shutil.which("true"), self.checkout / "build/cuda/bin/cuda_bench")

    def test_a_relative_folder_is_the_callers(self):
        (self.checkout / "engine").mkdir()
        subprocess.run([self.checkout / "tests/gpu/pack.sh", "engine", "cuda_bench"], cwd=self.folder,
                       capture_output=True, timeout=60, check=True)
        self.assertTrue((self.folder / "engine/bin/cuda_bench").is_file())
        self.assertTrue((self.folder / "engine.tar.xz").is_file())
        self.assertEqual(list((self.checkout / "engine").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
