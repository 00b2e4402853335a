#!/usr/bin/env python3
"""Why the generation servers are a StatefulSet: what the router makes of a name with several
addresses, and of a name for each Pod, with DNS as a cluster has it."""

import copy
import re
import subprocess
import unittest

import cluster_dns
import tools

tools.require_wheels()
tools.require_programs()
if not (tools.BIN / "windowkv").is_file():
    tools.skip(f"{tools.BIN / 'windowkv'} is not built")
if not cluster_dns.enter():
    tools.skip("namespaces cannot be made here")

import manifests  # noqa: E402
import running_servers  # noqa: E402
from running_servers import read  # noqa: E402

PODS = {"windowkv-generation-0.windowkv-generation": ["127.0.0.11"],
        "windowkv-generation-1.windowkv-generation": ["127.0.0.12"]}
HEADLESS = {"windowkv-generation": ["127.0.0.11", "127.0.0.12"]}


class PodNamesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = manifests.render_all()["cpu-demo"]
        cls.dns = cluster_dns.DnsServer(PODS | HEADLESS)
        cls.generation = [
            running_servers.start(cls.objects, "windowkv-generation", {}, f"{addresses[0]}:50051")
            for addresses in PODS.values()]
        for server in cls.generation:
            cls.addClassCleanup(server.stop)

    def picks(self, objects):
        """Backend → requests that a router with these manifests sent to it, of four at once."""
        router = running_servers.start(objects, "windowkv-router", {})
        self.addCleanup(router.stop)
        answered = self.answered()
        clients = [subprocess.Popen(
            [tools.BIN / "windowkv", "generate", "--target", router.grpc, "--prompt", "Once",
             "--policy", "full", "--min-tokens", "200", "--max-tokens", "200"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        for client in clients:
            words = client.communicate(timeout=60)[1]
            self.assertEqual(client.returncode, 0, words)
        return [after - before for before, after in zip(answered, self.answered())]

    def answered(self):
        return [sum(int(float(value)) for value in re.findall(
            r"(?m)^windowkv_request_success_total\S* (\S+)$", read(server.http, "/metrics")))
            for server in self.generation]

    def test_a_name_for_each_pod_gives_work_to_each(self):
        self.assertGreater(min(self.picks(self.objects)), 0)

    def test_one_name_for_all_gives_the_work_to_one(self):
        objects = copy.deepcopy(self.objects)
        for item in manifests.of_kind(objects, "ConfigMap"):
            if "router.conf" in item["data"]:
                item["data"]["router.conf"] = re.sub(
                    r"(?m)^generation=.*$", "generation=windowkv-generation:50051",
                    item["data"]["router.conf"])
        self.assertEqual(sorted(self.picks(objects)), [0, 4])


if __name__ == "__main__":
    unittest.main()
