#!/usr/bin/env python3
"""The Containerfiles: hadolint's word on them, that they fit the manifests, how their root file systems
are put together and how a checkpoint is copied. What they build is tried by try_image_roots.sh."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import tools

tools.require_wheels()

import manifests  # noqa: E402

IMAGES = tools.ROOT / "deploy" / "images"
COPY = IMAGES / "copy_checkpoints.sh"
MANUAL = tools.ROOT / "docs" / "operating.md"


def hadolint(file):
    return subprocess.run([tools.HADOLINT, "--no-color", file], capture_output=True, text=True,
                          timeout=60)


def final_stages():
    """Image name → the lines of the stage that makes it."""
    found = {}
    for file in ("cpu.Containerfile", "cuda.Containerfile"):
        for stage in re.split(r"(?m)^(?=FROM )", (IMAGES / file).read_text(encoding="utf-8"))[1:]:
            name = re.match(r"FROM (\S+) AS (\S+)", stage)
            if name[1] == "scratch":
                found[name[2]] = stage
    return found


class ContainerfilesTest(unittest.TestCase):
    def test_hadolint_finds_nothing(self):
        for file in IMAGES.glob("*.Containerfile"):
            with self.subTest(file=file.name):
                result = hadolint(file)
                self.assertEqual((result.stdout, result.returncode), ("", 0))

    def test_hadolint_finds_an_unknown_instruction(self):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "Containerfile"
            file.write_text("FROM debian:12.12-slim\nCOPPY a b\n", encoding="utf-8")
            self.assertNotEqual(hadolint(file).returncode, 0)

    def test_base_images_have_a_version(self):
        for file in IMAGES.glob("*.Containerfile"):
            for base in re.findall(r"(?m)^FROM (\S+)", file.read_text(encoding="utf-8")):
                if base != "scratch":
                    self.assertRegex(base, r":[0-9]+\.[0-9]+", file.name)

    def test_each_server_of_the_manifests_has_its_image(self):
        stages = final_stages()
        used = set()
        for objects in manifests.render_all().values():
            for item in manifests.workloads(objects):
                container = manifests.server(item)
                name = container["image"].split(":")[0]
                used.add(name)
                with self.subTest(image=name):
                    stage = stages[name]
                    context = manifests.pod(item)["securityContext"]
                    self.assertIn(f"USER {context['runAsUser']}:{context['runAsGroup']}\n", stage)
                    ports = " ".join(str(port["containerPort"]) for port in container["ports"])
                    self.assertIn(f"EXPOSE {ports}\n", stage)
                    self.assertIn(f'ENTRYPOINT ["/usr/bin/{item["metadata"]["name"]}"]', stage)
        self.assertEqual(used, set(stages))

    def test_the_manual_deploys_the_images_that_it_pushes(self):
        steps = re.search(r"### Deploy\n\n```sh\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)[1]
        pushed = re.search(r"(?m)^  podman push (\S+)\$server:(\S+)$", steps)
        overlay = manifests.build_overlay(re.search(r"<<END\n(.*?)END\n", steps, re.DOTALL)[1])
        servers = re.search(r"for server in (.*); do", steps)[1].split()
        self.assertEqual({manifests.server(item)["image"] for item in manifests.workloads(overlay)},
                         {f"{pushed[1]}{server}:{pushed[2]}" for server in servers})


class BuildRootsTest(unittest.TestCase):
    """In a small checkout, with programs that are none of ours and an ldd that says what it is told."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = pathlib.Path(directory.name)
        self.checkout = self.folder / "checkout"
        for model in ("task_classifier", "demo_llama"):
            (self.checkout / "deploy" / "models" / model).mkdir(parents=True)
            (self.checkout / "deploy" / "models" / model / "config.json").touch()
        (self.checkout / "deploy" / "images").mkdir()
        shutil.copy(IMAGES / "build_roots.sh", self.checkout / "deploy" / "images")
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        for program in manifests.PROGRAMS:
            shutil.copy(shutil.which("true"), self.programs / program)
        library = self.folder / "a folder" / "libused.so.1"
        library.parent.mkdir()
        library.touch()
        self.ldd_says(f"\tlibused.so.1 => {library} (0x00007f0000000000)\n"
                      f"\t{library.with_name('ld-linux-x86-64.so.2')} (0x00007f0000000000)")
        library.with_name("ld-linux-x86-64.so.2").touch()

    def ldd_says(self, listing):
        (self.folder / "ldd").write_text(f"#!/bin/sh\ncat <<'END'\n{listing}\nEND\n", encoding="utf-8")
        (self.folder / "ldd").chmod(0o755)

    def build(self, *arguments, **options):
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run([self.checkout / "deploy/images/build_roots.sh", *arguments], timeout=60,
                              capture_output=True, text=True, env={**os.environ, "PATH": path}, **options)

    def assert_built(self, result, roots):
        self.assertEqual((result.stderr, result.returncode), ("", 0))
        for program in manifests.PROGRAMS:
            root = roots / program
            self.assertTrue((root / "usr/bin" / program).is_file())
            self.assertTrue((root / "usr/lib/x86_64-linux-gnu/libused.so.1").is_file())
            self.assertTrue((root / "usr/lib64/ld-linux-x86-64.so.2").is_file())

    def test_copies_programs_with_their_libraries(self):
        roots = self.folder / "roots"
        self.assert_built(self.build(roots, self.programs), roots)
        self.assertTrue((roots / "windowkv-generation/models/demo_llama/config.json").is_file())

    def test_a_relative_folder_is_the_callers_when_it_builds_as_well(self):
        for tool in (self.checkout / "deploy/install_dependencies.sh", self.folder / "cmake"):
            tool.write_text("#!/bin/sh\n", encoding="utf-8")
            tool.chmod(0o755)
        shutil.copytree(self.programs, self.checkout / "build/release/bin")
        self.assert_built(self.build("roots", cwd=self.folder), self.folder / "roots")
        self.assert_built(self.build("roots", "../programs", cwd=self.checkout), self.checkout / "roots")

    def test_fails_when_a_library_is_missing(self):
        self.ldd_says("\tlibabsent.so.2 => not found")
        result = self.build(self.folder / "roots", self.programs)
        self.assertIn("libabsent.so.2 => not found", result.stderr)
        self.assertEqual(result.returncode, 1)

    def test_every_user_may_read_what_is_copied(self):
        self.assertEqual(self.build(self.folder / "roots", self.programs, umask=0o077).returncode, 0)
        for file in (self.folder / "roots").glob("*/**/*"):
            with self.subTest(file=file):
                self.assertEqual(file.stat().st_mode & 0o004, 0o004)


class CopyCheckpointsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.source = pathlib.Path(directory.name) / "checkpoints"
        self.target = pathlib.Path(directory.name) / "models"
        self.target.mkdir()
        (self.source / "llama").mkdir(parents=True)
        (self.source / "llama" / "config.json").write_text("new", encoding="utf-8")

    def copy(self):
        return subprocess.run(["sh", COPY, self.source, self.target], capture_output=True,
                              text=True, timeout=60, check=True).stdout

    def read(self, name):
        return (self.target / name / "config.json").read_text(encoding="utf-8")

    def bring(self, *names):
        """An image with these checkpoints starts, a day after the one before."""
        for one in self.target.iterdir():
            os.utime(one, (one.stat().st_mtime - 86400,) * 2)
        shutil.rmtree(self.source)
        for name in names:
            (self.source / name).mkdir(parents=True)
            (self.source / name / "config.json").write_text(name, encoding="utf-8")
        return self.copy()

    def on_the_volume(self):
        return {one.name for one in self.target.iterdir()}

    def test_copies_once(self):
        self.assertIn("copied", self.copy())
        self.assertEqual(self.read("llama"), "new")
        self.assertIn("is there", self.copy())
        self.assertEqual([one.name for one in self.target.iterdir()], ["llama"])

    def test_leaves_a_mapped_checkpoint_alone(self):
        self.copy()
        (self.source / "llama" / "config.json").write_text("newer", encoding="utf-8")
        self.copy()
        self.assertEqual(self.read("llama"), "new")

    def test_keeps_the_checkpoint_used_before_and_no_older_one(self):
        for name in "abac":
            self.bring(name)
        self.assertEqual(self.on_the_volume(), {"a", "c"})
        self.bring("d", "e")
        self.assertEqual(self.on_the_volume(), {"c", "d", "e"})

    def test_makes_room_before_it_copies(self):
        self.bring("a")
        self.bring("b")
        output = self.bring("c")
        self.assertLess(output.index("removed"), output.index("copied"))

    def test_leaves_what_the_file_system_has_for_itself(self):
        (self.target / "lost+found").mkdir()
        self.bring("a")
        self.bring("b")
        self.assertEqual(self.on_the_volume(), {"lost+found", "a", "b"})

    def test_starts_again_after_an_interruption(self):
        for name in (".copying", ".removing"):
            (self.target / name).mkdir()
            (self.target / name / "half").touch()
        self.copy()
        self.assertEqual(self.on_the_volume(), {"llama"})
        self.assertEqual([one.name for one in (self.target / "llama").iterdir()], ["config.json"])

    def test_fails_when_the_target_cannot_be_written(self):
        self.target.rmdir()
        self.target.touch()
        with self.assertRaises(subprocess.CalledProcessError):
            self.copy()


if __name__ == "__main__":
    unittest.main()
