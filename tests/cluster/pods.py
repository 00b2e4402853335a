"""Pods without a cluster: each program in a network namespace of its own, with an address of its own
behind one bridge, the flags of its manifest, and DNS names as a cluster gives them."""

import signal
import subprocess
import tempfile

import cluster_dns
import manifests
import running_servers
import tools

GATEWAY = "10.77.0.1"  # this process, which is the cluster's DNS as well
_PATIENCE_S = 60


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)


class Pod:
    """A program of a workload. Owned by its Cluster."""

    def __init__(self, cluster, program, name):
        self.program, self.name = program, name
        self.address = None
        self._cluster = cluster
        self._process = None
        self._directory = tempfile.TemporaryDirectory()
        self._log = open(f"{self._directory.name}/log", "w+", encoding="utf-8")

    def start(self, address):
        """Begins with `address`, and returns when the program is ready."""
        if address != self.address:
            self._cluster.attach(self, address)
        objects = self._cluster.objects
        arguments, variables = running_servers.command(
            objects, manifests.workload(objects, self.program), self._directory.name, {}, {})
        self._process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.name}", *arguments], env=variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, text=True)
        if not running_servers.READY.search(self._process.stdout.readline().strip()):
            raise AssertionError(f"{self.name} is not ready: {self.log()}")

    def kill(self):
        """As when the kernel kills it for its memory."""
        self._process.kill()
        self._process.wait(_PATIENCE_S)

    def drain(self):
        """As the kubelet ends it, without the sleep before; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_PATIENCE_S + 15)  # the manifest's grace period

    def set_link(self, state):
        """"down": the Pod's node vanishes, without a word to whoever is connected."""
        _ip("link", "set", self._cluster.link(self), state)

    def metrics(self):
        port = {port["name"]: port["containerPort"] for port in manifests.server(
            manifests.workload(self._cluster.objects, self.program))["ports"]}["metrics"]
        return running_servers.read(f"{self.address}:{port}", "/metrics")

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def stop(self):
        if self._process and self._process.poll() is None:
            self.kill()
        self._log.close()
        self._directory.cleanup()


class Cluster:
    """Makes its Pods in the namespaces that cluster_dns.enter() has entered; all end with them."""

    def __init__(self, overlay):
        self.objects = manifests.build(overlay)
        self.pods = {}
        self._next_host = 10
        # /run/netns of the machine stays as it is.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True, timeout=30)
        _ip("link", "add", "pods", "type", "bridge")
        _ip("address", "add", f"{GATEWAY}/24", "dev", "pods")
        _ip("link", "set", "pods", "up")
        self._dns = cluster_dns.DnsServer({}, GATEWAY)
        for item in manifests.workloads(self.objects):
            program = item["metadata"]["name"]
            for index in range(item["spec"]["replicas"]):
                self.add(program, f"{program}-{index}")

    def add(self, program, name):
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
        self.pods[name] = Pod(self, program, name)
        return self.pods[name]

    def new_address(self):
        """One that no Pod has had."""
        self._next_host += 1
        return f"10.77.0.{self._next_host}"

    def link(self, pod):
        """This side of the Pod's network; a name has 15 characters at most."""
        return f"veth{list(self.pods).index(pod.name)}"

    def attach(self, pod, address):
        """Gives the Pod's namespace this address, and the cluster's DNS the Pod's names."""
        link = self.link(pod)
        if pod.address is None:
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pod.name)
            _ip("link", "set", link, "master", "pods", "up")
        _ip("-n", pod.name, "address", "flush", "dev", "eth0")
        _ip("-n", pod.name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", pod.name, "link", "set", "eth0", "up")
        pod.address = address
        self._dns.records = self._records()

    def _records(self):
        records = {}
        for pod in self.pods.values():
            if pod.address:
                # The headless Service's name, and, for the Pods of a StatefulSet, each one's own.
                records.setdefault(pod.program, []).append(pod.address)
                records[f"{pod.name}.{pod.program}"] = [pod.address]
        return records

    def stop(self):
        for pod in self.pods.values():
            pod.stop()


def enter():
    """Skips visibly where namespaces or links between them are not permitted."""
    if not cluster_dns.enter(GATEWAY):
        tools.skip("namespaces cannot be made here")
    probe = subprocess.run(["ip", "link", "add", "probe", "type", "bridge"], capture_output=True,
                           text=True, timeout=30, check=False)
    if probe.returncode != 0:
        tools.skip(f"no bridge can be made here: {probe.stderr.strip()}")
    _ip("link", "delete", "probe")
