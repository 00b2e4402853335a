#!/usr/bin/env python3
"""Runs every check on every rendering, and on renderings with one thing broken."""

import copy
import unittest

import tools

tools.require_wheels()
tools.require_programs()

import manifest_checks as checks  # noqa: E402
import manifests  # noqa: E402


class ManifestChecksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = manifests.render_all()

    def broken(self, rendering="cpu-demo"):
        return copy.deepcopy(self.renderings[rendering])

    def set_flag(self, objects, program, flag, value):
        for item in manifests.of_kind(objects, "ConfigMap"):
            if item["metadata"]["name"].startswith(f"{program}-flags"):
                for file, text in item["data"].items():
                    lines = [line for line in text.splitlines() if not line.startswith(f"{flag}=")]
                    item["data"][file] = "\n".join([*lines, f"{flag}={value}", ""])

    def assert_found(self, check, objects, part):
        self.assertIn(part, "\n".join(check(objects)))

    def test_every_rendering_passes_every_check(self):
        for name, objects in self.renderings.items():
            for check in checks.ALL:
                with self.subTest(rendering=name, check=check.__name__):
                    self.assertEqual(check(objects), [])

    def test_a_misspelt_flag_in_a_file_is_found(self):
        objects = self.broken()
        self.set_flag(objects, "windowkv-generation", "kv-pool-byte", "1GiB")
        self.assert_found(checks.flags_exist, objects, "there is no flag kv-pool-byte")

    def test_a_misspelt_argument_and_variable_are_found(self):
        objects = self.broken()
        container = manifests.server(manifests.workload(objects, "windowkv-router"))
        container["args"].append("--tls-cret=x")
        container["env"].append({"name": "WINDOWKV_DRAIN_TIME", "value": "1s"})
        self.assert_found(checks.flags_exist, objects, "there is no flag tls-cret")
        self.assert_found(checks.flags_exist, objects, "there is no flag WINDOWKV_DRAIN_TIME")

    def test_a_flag_given_in_two_places_is_found(self):
        objects = self.broken()
        self.set_flag(objects, "windowkv-router", "drain-timeout", "5s")
        self.assert_found(checks.flags_exist, objects, "drain-timeout is given twice")

    def test_a_port_that_nobody_listens_on_is_found(self):
        objects = self.broken()
        container = manifests.server(manifests.workload(objects, "windowkv-generation"))
        container["livenessProbe"]["grpc"]["port"] = 50052
        self.assert_found(checks.ports_agree, objects, "livenessProbe asks port 50052")
        container["ports"][0]["containerPort"] = 50055
        self.assert_found(checks.ports_agree, objects, "--listen is 0.0.0.0:50051, port grpc 50055")
        manifests.named(objects, "Service", "windowkv-classifier")["spec"]["ports"][0]["port"] = 1
        self.assert_found(checks.ports_agree, objects, "Service windowkv-classifier: port 1")

    def test_a_job_that_no_alert_selects_is_found(self):
        objects = self.broken("gpu")
        [monitor] = manifests.of_kind(objects, "PodMonitor")
        monitor["spec"].pop("jobLabel", None)
        self.assert_found(checks.jobs_match_alerts, objects, "no alert selects job windowkv/windowkv")
        self.assert_found(checks.jobs_match_alerts, objects, "there is no job windowkv-.*")

    def test_a_replica_that_no_router_knows_is_found(self):
        objects = self.broken()
        manifests.workload(objects, "windowkv-generation")["spec"]["replicas"] = 3
        self.assert_found(checks.backends_exist, objects, "windowkv-generation-2")
        objects = self.broken("gpu")
        for scaler in manifests.of_kind(objects, "HorizontalPodAutoscaler"):
            scaler["spec"]["maxReplicas"] = 5
        self.assert_found(checks.backends_exist, objects, "windowkv-generation-4")

    def test_both_autoscalers_follow_one_rule(self):
        keda = self.broken("base, tls, keda")
        self.assertEqual(checks.autoscalers_agree(self.renderings["gpu"], keda), [])
        manifests.named(keda, "ScaledObject", "windowkv-generation")["spec"]["minReplicaCount"] = 1
        self.assertEqual(checks.autoscalers_agree(self.renderings["gpu"], keda), ["least: 2 and 1"])

    def test_a_kill_in_the_middle_of_the_drain_is_found(self):
        objects = self.broken()
        manifests.pod(manifests.workload(objects, "windowkv-router"))[
            "terminationGracePeriodSeconds"] = 65
        self.assert_found(checks.drain_fits, objects, "windowkv-router: term")

    def test_a_pool_above_the_memory_limit_is_found(self):
        objects = self.broken()
        self.set_flag(objects, "windowkv-generation", "kv-pool-bytes", "1GiB")
        self.assert_found(checks.memory_fits, objects, "windowkv-generation: memory limit")

    def test_threads_without_a_processor_are_found(self):
        objects = self.broken()
        self.set_flag(objects, "windowkv-classifier", "threads", "0")
        self.assert_found(checks.threads_fit, objects, "0 threads for 1 processors")

    def test_files_that_nobody_brings_are_found(self):
        objects = self.broken()
        self.set_flag(objects, "windowkv-generation", "model", "/models/other")
        self.assert_found(checks.files_exist, objects, "/models/other")
        self.set_flag(objects, "windowkv-router", "tls-cert", "/etc/tls/tls.crt")
        self.assert_found(checks.files_exist, objects, "--tls-cert=/etc/tls/tls.crt")
        self.assert_found(checks.probes_fit_tls, objects, "readinessProbe speaks plain gRPC")

    def test_a_router_that_speaks_tls_to_servers_that_do_not_is_found(self):
        objects = self.broken()
        self.set_flag(objects, "windowkv-router", "backend-tls-ca", "/etc/tls/ca.crt")
        self.assert_found(checks.files_exist, objects, "--backend-tls-ca=/etc/tls/ca.crt")
        self.assert_found(checks.probes_fit_tls, objects, "windowkv-generation: it and the router")
        self.assert_found(checks.probes_fit_tls, objects, "windowkv-classifier: it and the router")

    def test_a_selector_that_selects_nothing_is_found(self):
        objects = self.broken("gpu")
        manifests.named(objects, "PodDisruptionBudget", "windowkv-router")["spec"]["selector"][
            "matchLabels"]["app.kubernetes.io/name"] = "router"
        manifests.named(objects, "HorizontalPodAutoscaler", "windowkv-generation")["spec"][
            "scaleTargetRef"]["kind"] = "Deployment"
        self.assert_found(checks.selectors_match, objects, "windowkv-router has no PodDisruption")
        self.assert_found(checks.selectors_match, objects, "windowkv-generation scales nothing")

    def test_a_writable_root_is_found(self):
        objects = self.broken("gpu")
        spec = manifests.pod(manifests.workload(objects, "windowkv-generation"))
        spec["initContainers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
        self.assert_found(checks.pods_are_confined, objects, "copy-checkpoint: securityContext")

    def test_a_gpu_that_nothing_uses_is_found(self):
        objects = self.broken("gpu")
        self.set_flag(objects, "windowkv-generation", "device", "cpu")
        self.assert_found(checks.gpus_are_used, objects, "give it device=cuda")
        manifests.server(manifests.workload(objects, "windowkv-generation"))["image"] = (
            "windowkv-generation:0.1.0")
        self.assert_found(checks.gpus_are_used, objects, "image windowkv-generation, GPU: True")
        objects = self.broken()
        self.set_flag(objects, "windowkv-generation", "device", "cuda")
        self.assert_found(checks.gpus_are_used, objects, "device=cuda without a GPU")

    def test_a_label_that_a_node_need_not_have_is_found(self):
        objects = self.broken("gpu")
        manifests.pod(manifests.workload(objects, "windowkv-generation"))["nodeSelector"] = {"gpu": "true"}
        self.assert_found(checks.gpus_are_used, objects, "windowkv-generation: needs nodes with a label")

    def test_another_version_is_found(self):
        objects = self.broken()
        manifests.server(manifests.workload(objects, "windowkv-router"))["image"] += "1"
        self.assert_found(checks.images_are_this_version, objects, "windowkv-router: image")


if __name__ == "__main__":
    unittest.main()
