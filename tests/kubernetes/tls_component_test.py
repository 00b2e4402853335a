#!/usr/bin/env python3
"""The component tls with a real router: who gets in, and why its readiness is not a gRPC probe."""

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

MOUNT = "/etc/windowkv-tls"


def make_certificates(directory):
    """tls.crt, tls.key and ca.crt, the Secret's files; one certificate serves both sides here."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True,
                       timeout=60)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
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
        renderings = manifests.render_all()
        generation = running_servers.start(renderings["cpu-demo"], "windowkv-generation", {})
        cls.addClassCleanup(generation.stop)
        objects = copy.deepcopy(renderings["base, tls, keda"])
        cls.container = manifests.server(manifests.workload(objects, "windowkv-router"))
        cls.container["args"] = [argument.replace(MOUNT, str(cls.files))
                                 for argument in cls.container["args"]]
        backends = {"windowkv-classifier:50052": "127.0.0.1:1",
                    "windowkv-generation-0.windowkv-generation:50051": generation.grpc}
        for absent in (1, 2, 3):
            backends[f"windowkv-generation-{absent}.windowkv-generation:50051"] = "127.0.0.1:1"
        cls.router = running_servers.start(objects, "windowkv-router", backends)
        cls.addClassCleanup(cls.router.stop)

    def info(self, *arguments):
        return subprocess.run(
            [tools.BIN / "windowkv", "info", "--target", self.router.grpc, "--tls-ca",
             self.files / "ca.crt", *arguments], capture_output=True, text=True, timeout=60)

    def test_a_client_with_a_certificate_is_answered(self):
        result = self.info("--tls-cert", self.files / "tls.crt", "--tls-key", self.files / "tls.key")
        self.assertIn("demo_llama", result.stdout, result.stderr)

    def test_a_client_without_one_is_not(self):
        self.assertEqual(self.info().returncode, 3)

    def test_readiness_passes_where_a_grpc_probe_would_fail(self):
        running_servers.read(self.router.http, self.container["readinessProbe"]["httpGet"]["path"])
        with grpc.insecure_channel(self.router.grpc, [("grpc.enable_http_proxy", 0)]) as channel:
            with self.assertRaisesRegex(grpc.RpcError, "UNAVAILABLE"):
                channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)


if __name__ == "__main__":
    unittest.main()
