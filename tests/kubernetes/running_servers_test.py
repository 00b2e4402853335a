#!/usr/bin/env python3
"""Gives the real programs the flags of the manifests and asks what Kubernetes would ask: probes,
metrics, an end by SIGTERM."""

import copy
import re
import time
import unittest

import tools

tools.require_wheels()
tools.require_programs()

import grpc  # noqa: E402

import manifests  # noqa: E402
import running_servers  # noqa: E402
from running_servers import read  # noqa: E402

SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}


def health(address, service):
    """What the kubelet's gRPC probe does."""
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        name = service.encode()
        return check(b"\x0a" + bytes([len(name)]) + name if name else b"", timeout=5)


def probe(server, one):
    """Raises when the probe fails."""
    if "grpc" in one:
        answer = health(server.grpc, one["grpc"].get("service", ""))
        if answer != SERVING:
            raise AssertionError(f"{one}: {answer}")
    else:
        read(server.http, one["httpGet"]["path"])


def probe_until_it_passes(server, one):
    """As often as the manifest allows."""
    for _ in range(one["failureThreshold"]):
        try:
            return probe(server, one)
        except (AssertionError, OSError, grpc.RpcError) as failure:
            error = failure
            time.sleep(one["periodSeconds"])
    raise error


def scaling_metrics(renderings):
    found = set()
    for objects in renderings.values():
        for item in manifests.of_kind(objects, "HorizontalPodAutoscaler"):
            found |= {one["pods"]["metric"]["name"] for one in item["spec"]["metrics"]
                      if one["type"] == "Pods"}
        for item in manifests.of_kind(objects, "ScaledObject"):
            for one in item["spec"]["triggers"]:
                found |= set(re.findall(r"windowkv_\w+", one["metadata"]["query"]))
    return found


class RunningServersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = manifests.render_all()
        cls.servers = {}
        objects = cls.renderings["cpu-demo"]
        cls.addClassCleanup(cls.stop_servers)
        backends = {}
        for program in ("windowkv-classifier", "windowkv-generation"):
            server = running_servers.start(objects, program, {})
            cls.servers[program] = server
            name = "windowkv-generation-0.windowkv-generation:50051"
            backends[name if "generation" in program else "windowkv-classifier:50052"] = server.grpc
        # There is one here: the router shall say nothing worse of the other than that it is down.
        backends["windowkv-generation-1.windowkv-generation:50051"] = "127.0.0.1:1"
        cls.servers["windowkv-router"] = running_servers.start(objects, "windowkv-router", backends)

    @classmethod
    def stop_servers(cls):
        for server in reversed(cls.servers.values()):  # clients first
            server.stop()

    def test_every_probe_of_every_rendering_passes(self):
        for objects in self.renderings.values():
            for item in manifests.workloads(objects):
                program = item["metadata"]["name"]
                for kind, one in manifests.probes(manifests.server(item)).items():
                    with self.subTest(program=program, probe=kind):
                        probe_until_it_passes(self.servers[program], one)

    def test_a_probe_of_an_unknown_service_or_path_fails(self):
        server = self.servers["windowkv-generation"]
        with self.assertRaisesRegex(grpc.RpcError, "NOT_FOUND"):
            probe(server, {"grpc": {"service": "windowkv.v1.GenerationServices"}})
        with self.assertRaises(OSError):
            probe(server, {"httpGet": {"path": "/healthz"}})

    def test_what_scales_and_what_is_scraped_exists(self):
        paths = {endpoint["path"] for objects in self.renderings.values()
                 for monitor in manifests.of_kind(objects, "PodMonitor")
                 for endpoint in monitor["spec"]["podMetricsEndpoints"]}
        self.assertEqual(paths, {"/metrics"})
        for server in self.servers.values():
            self.assertIn("# TYPE", read(server.http, "/metrics"))
        text = read(self.servers["windowkv-generation"].http, "/metrics")
        names = scaling_metrics(self.renderings)
        self.assertEqual(len(names), 2)
        for name in names:
            self.assertRegex(text, rf"(?m)^# TYPE {name} gauge$")

    def test_sigterm_ends_a_server_with_0(self):
        server = running_servers.start(self.renderings["cpu-demo"], "windowkv-generation", {})
        code, log = server.stop()
        self.assertEqual(code, 0)
        self.assertRegex(log, r"msg=draining signal=SIGTERM timeout=60\n")


class FlagsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = manifests.render_all()

    def test_the_programs_read_the_flags_of_every_rendering(self):
        for name, objects in self.renderings.items():
            for program in manifests.PROGRAMS:
                with self.subTest(rendering=name, program=program):
                    code, words = running_servers.parse_only(objects, program)
                    self.assertEqual(code, 2)
                    self.assertRegex(words, rf"^{program}: --listen: expected HOST:PORT")

    def test_the_programs_refuse_a_misspelt_flag_and_a_bad_value(self):
        for wrong, words in (("kv-pool-byte=1GiB", "kv-pool-byte"), ("max-reading=0", "max-reading")):
            objects = copy.deepcopy(self.renderings["base"])
            for item in manifests.of_kind(objects, "ConfigMap"):
                if "generation.conf" in item["data"]:
                    item["data"]["generation.conf"] += wrong + "\n"
            code, said = running_servers.parse_only(objects, "windowkv-generation")
            self.assertEqual(code, 2)
            self.assertIn(words, said)
            self.assertNotIn("--listen", said)


if __name__ == "__main__":
    unittest.main()
