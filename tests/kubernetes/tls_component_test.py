#!/usr/bin/env python3
"""The components tls and tls_backends with real programs: who gets in where, and why their probes are not
gRPC's."""

import copy
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tools

tools.require_wheels()
tools.require_programs()
for needed in (tools.BIN / "windowkv", "openssl"):
    if not shutil.which(needed):
        tools.skip(f"{needed} is missing")

import grpc  # noqa: E402

import manifests  # noqa: E402
import running_servers  # noqa: E402

MOUNTS = ("/etc/windowkv-tls", "/etc/windowkv-backend-tls")


def make_certificates(directory):
    """tls.crt, tls.key and ca.crt, the Secrets' files; one certificate serves all sides here."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True,
                       timeout=60)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:windowkv-backend\n", encoding="utf-8")
    openssl("req", "-x509", *new_key, "-subj", "/CN=authority", "-days", "1", "-keyout", "ca.key",
            "-out", "ca.crt")
    openssl("req", *new_key, "-subj", "/CN=windowkv", "-keyout", "tls.key", "-out", "tls.csr")
    openssl("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "1", "-extfile", "names", "-out", "tls.crt")


class TlsComponentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.files = pathlib.Path(directory.name)
        make_certificates(cls.files)
        cls.objects = cls.with_files(manifests.render_all()["base, tls, keda"])
        cls.generation = cls.start("windowkv-generation", {})
        cls.classifier = cls.start("windowkv-classifier", {})
        backends = {"windowkv-classifier:50052": cls.classifier.grpc,
                    "windowkv-generation-0.windowkv-generation:50051": cls.generation.grpc}
        for absent in (1, 2, 3):
            backends[f"windowkv-generation-{absent}.windowkv-generation:50051"] = f"127.0.0.1:{absent}"
        cls.router = cls.start("windowkv-router", backends)

    @classmethod
    def with_files(cls, objects):
        """A copy of the manifests whose Secrets lie here."""
        objects = copy.deepcopy(objects)
        for item in manifests.workloads(objects):
            container = manifests.server(item)
            for mount in MOUNTS:
                container["args"] = [argument.replace(mount, str(cls.files))
                                     for argument in container["args"]]
        return objects

    @classmethod
    def start(cls, program, backends):
        server = running_servers.start(cls.objects, program, backends)
        cls.addClassCleanup(server.stop)
        return server

    def call(self, *arguments):
        return subprocess.run(
            [tools.BIN / "windowkv", *arguments, "--target", self.router.grpc, "--tls-ca",
             self.files / "ca.crt", "--tls-cert", self.files / "tls.crt", "--tls-key",
             self.files / "tls.key"], capture_output=True, text=True, timeout=60)

    def info(self, *arguments):
        return subprocess.run(
            [tools.BIN / "windowkv", "info", "--target", self.router.grpc, "--tls-ca",
             self.files / "ca.crt", *arguments], capture_output=True, text=True, timeout=60)

    def test_a_client_with_a_certificate_is_answered(self):
        result = self.info("--tls-cert", self.files / "tls.crt", "--tls-key", self.files / "tls.key")
        self.assertIn("demo_llama", result.stdout, result.stderr)

    def test_a_client_without_one_is_not(self):
        self.assertEqual(self.info().returncode, 3)

    def test_the_router_reaches_classifier_and_backend_over_tls(self):
        result = self.call("generate", "--json", "--prompt", "Where is the wind?", "--max-tokens", "2",
                           "--policy", "windowkv", "--budget-tokens", "64")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("classifier failed", result.stdout)

    def test_a_router_without_tls_towards_backends_reaches_none(self):
        objects = self.with_files(manifests.render_all()["cpu-demo"])
        backends = {"windowkv-generation-0.windowkv-generation:50051": self.generation.grpc,
                    "windowkv-generation-1.windowkv-generation:50051": "127.0.0.1:1",
                    "windowkv-classifier:50052": self.classifier.grpc}
        router = running_servers.start(objects, "windowkv-router", backends)
        self.addCleanup(router.stop)
        result = subprocess.run([tools.BIN / "windowkv", "info", "--target", router.grpc],
                                capture_output=True, text=True, timeout=60)
        self.assertRegex(result.stderr, "UNAVAILABLE: none of the 2 generation backends is healthy")

    def test_probes_pass_where_a_grpc_probe_would_fail(self):
        for program, server in (("windowkv-router", self.router),
                                ("windowkv-classifier", self.classifier),
                                ("windowkv-generation", self.generation)):
            container = manifests.server(manifests.workload(self.objects, program))
            for probe in manifests.probes(container).values():
                running_servers.read(server.http, probe["httpGet"]["path"])
            with grpc.insecure_channel(server.grpc, [("grpc.enable_http_proxy", 0)]) as channel:
                with self.assertRaisesRegex(grpc.RpcError, "UNAVAILABLE"):
                    channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)


if __name__ == "__main__":
    unittest.main()
