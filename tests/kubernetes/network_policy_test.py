#!/usr/bin/env python3
"""The NetworkPolicies let through what is needed, and nothing else."""

import copy
import itertools
import unittest

import tools

tools.require_wheels()

import manifests  # noqa: E402
from network_model import Peer, reaches  # noqa: E402

GRPC = {"windowkv-router": 50050, "windowkv-generation": 50051, "windowkv-classifier": 50052}
METRICS = {"windowkv-router": 9100, "windowkv-generation": 9101, "windowkv-classifier": 9102}


def namespace(name, **labels):
    return {"kubernetes.io/metadata.name": name, **labels}


CLIENT = Peer("client", namespace("shop", **{"windowkv-access": "client"}), {"app": "shop"})
STRANGER = Peer("stranger", namespace("other"), {"app.kubernetes.io/name": "windowkv-router"})
PROMETHEUS = Peer("prometheus", namespace("monitoring"), {"app": "prometheus"})
DNS = Peer("dns", namespace("kube-system"), {"k8s-app": "kube-dns"})
API_SERVER = Peer("api server", namespace("kube-system"), {"component": "kube-apiserver"})
OUTSIDE = Peer("outside", None, None)

EXPECTED = {
    ("client", "windowkv-router", 50050, "TCP"),
    ("windowkv-router", "windowkv-generation", 50051, "TCP"),
    ("windowkv-router", "windowkv-classifier", 50052, "TCP"),
    ("windowkv-router", "dns", 53, "TCP"),
    ("windowkv-router", "dns", 53, "UDP"),
    *(("prometheus", name, port, "TCP") for name, port in METRICS.items()),
}
PORTS = [(port, "TCP") for port in (*GRPC.values(), *METRICS.values(), 53, 443, 22)] + [(53, "UDP")]


def peers_of(objects):
    own = manifests.named(objects, "Namespace", "windowkv")["metadata"]
    labels = namespace(own["name"], **own["labels"])
    servers = [Peer(item["metadata"]["name"], labels, manifests.pod_labels(item),
                    {port["name"]: port["containerPort"]
                     for port in manifests.server(item)["ports"]})
               for item in manifests.workloads(objects)]
    # A Pod that somebody else starts in this namespace.
    return labels, servers, [*servers, Peer("intruder", labels, {"app": "x"}, {"web": 443})]


def edges(objects):
    """Every connection to or from our namespace that the policies let through."""
    labels, _, ours = peers_of(objects)
    policies = manifests.of_kind(objects, "NetworkPolicy")
    found = set()
    others = [CLIENT, STRANGER, PROMETHEUS, DNS, API_SERVER, OUTSIDE]
    for source, target in itertools.permutations([*ours, *others], 2):
        if source not in ours and target not in ours:
            continue
        for port, protocol in PORTS:
            if reaches(policies, labels, source, target, port, protocol):
                found.add((source.name, target.name, port, protocol))
    return found


class NetworkPolicyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = manifests.render_all()

    def test_exactly_the_needed_edges_exist(self):
        for name, objects in self.renderings.items():
            with self.subTest(rendering=name):
                self.assertEqual(edges(objects), EXPECTED)

    def test_replicas_of_a_server_do_not_reach_each_other(self):
        objects = self.renderings["base"]
        labels, servers, _ = peers_of(objects)
        policies = manifests.of_kind(objects, "NetworkPolicy")
        for peer in servers:
            for port, protocol in PORTS:
                self.assertFalse(reaches(policies, labels, peer, peer, port, protocol))

    def test_each_policy_is_needed(self):
        objects = self.renderings["base"]
        for policy in manifests.of_kind(objects, "NetworkPolicy"):
            fewer = [item for item in copy.deepcopy(objects) if item != policy]
            with self.subTest(policy=policy["metadata"]["name"]):
                self.assertNotEqual(edges(fewer), EXPECTED)

    def test_a_policy_that_opens_too_much_is_found(self):
        objects = copy.deepcopy(self.renderings["base"])
        policy = manifests.named(objects, "NetworkPolicy", "generation-from-router")
        policy["spec"]["ingress"][0]["from"] = [{"podSelector": {}}]
        manifests.named(objects, "NetworkPolicy", "router-to-backends")["spec"]["podSelector"] = {}
        self.assertIn(("windowkv-classifier", "windowkv-generation", 50051, "TCP"), edges(objects))

    def test_what_the_model_does_not_know_is_an_error(self):
        objects = copy.deepcopy(self.renderings["base"])
        policy = manifests.named(objects, "NetworkPolicy", "clients-to-router")
        policy["spec"]["ingress"][0]["from"] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
        with self.assertRaisesRegex(ValueError, "not modelled"):
            edges(objects)


if __name__ == "__main__":
    unittest.main()
