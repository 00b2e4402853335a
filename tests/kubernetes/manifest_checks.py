"""What must hold in the manifests so that they fit each other and the programs. Each check returns
what is wrong, one line each, so that a test can also show that it finds something."""

import pathlib
import re

import manifests
import program_flags
import tools

# Of terminationGracePeriodSeconds, for the last writes and the exit.
_EXIT_SECONDS = 5


def _each(objects):
    for item in manifests.workloads(objects):
        yield item["metadata"]["name"], item, manifests.server(item)


def flags_exist(objects):
    """Each flag is one of the program's and is given in one place."""
    wrong = []
    for program, item, _ in _each(objects):
        seen = set()
        for where, name, _ in program_flags.given(objects, item):
            flag = program_flags.environment(program).get(name) if where == "env" else name
            if flag not in program_flags.known(program):
                wrong.append(f"{program}: {where}: there is no flag {name}")
            if flag in seen:
                wrong.append(f"{program}: {where}: {name} is given twice")
            seen.add(flag)
    return wrong


def ports_agree(objects):
    """What the program listens on, its container ports, its probes' and its Services' ports."""
    wrong = []
    for program, item, container in _each(objects):
        flags = program_flags.effective(objects, item)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for name, flag in (("grpc", "listen"), ("metrics", "http")):
            if flags[flag] != f"0.0.0.0:{ports[name]}":
                wrong.append(f"{program}: --{flag} is {flags[flag]}, port {name} {ports[name]}")
            if program_flags.known(program)[flag] != f"127.0.0.1:{ports[name]}":
                wrong.append(f"{program}: {ports[name]} is not the program's usual port")
        for kind, probe in manifests.probes(container).items():
            if "grpc" in probe and probe["grpc"]["port"] != ports["grpc"]:
                wrong.append(f"{program}: {kind} asks port {probe['grpc']['port']}")
            if "httpGet" in probe and probe["httpGet"]["port"] != "metrics":
                wrong.append(f"{program}: {kind} asks port {probe['httpGet']['port']}")
        for service in _services_of(objects, item):
            for port in service["spec"]["ports"]:
                if ports.get(port["targetPort"]) != port["port"]:
                    wrong.append(f"Service {service['metadata']['name']}: port {port['port']}")
    for monitor in manifests.of_kind(objects, "PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            if endpoint["port"] != "metrics":
                wrong.append(f"PodMonitor: there is no port {endpoint['port']}")
    return wrong


def _services_of(objects, item):
    return [service for service in manifests.of_kind(objects, "Service")
            if manifests.selects(service["spec"]["selector"], manifests.pod_labels(item))]


def jobs_match_alerts(objects):
    """The jobs that a PodMonitor makes of the Pods are those that alerts select; without a jobLabel it
    makes one of all."""
    rules = (tools.ROOT / "deploy" / "prometheus" / "alert_rules.yml").read_text(encoding="utf-8")
    selected = {value if sign else re.escape(value)
                for sign, value in re.findall(r'\bjob=(~?)"([^"]+)"', rules)}
    wrong = []
    for monitor in manifests.of_kind(objects, "PodMonitor"):
        one_for_all = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
        jobs = {manifests.pod_labels(item).get(monitor["spec"].get("jobLabel"), one_for_all)
                for item in _selected(objects, monitor)}
        wrong += [f"no alert selects job {job}" for job in jobs
                  if not any(re.fullmatch(pattern, job) for pattern in selected)]
        wrong += [f"there is no job {pattern}" for pattern in selected
                  if not any(re.fullmatch(pattern, job) for job in jobs)]
    return wrong


def backends_exist(objects):
    """The router names each Pod that there may be of the generation servers, and a classifier."""
    flags = program_flags.effective(objects, manifests.workload(objects, "windowkv-router"))
    generation = manifests.workload(objects, "windowkv-generation")
    most = generation["spec"].get("replicas")
    for scaler in manifests.of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        if scaler["spec"]["scaleTargetRef"]["name"] == "windowkv-generation":
            if most is not None:
                return ["both the StatefulSet and its autoscaler say how many replicas there are"]
            most = scaler["spec"].get("maxReplicas") or scaler["spec"].get("maxReplicaCount")
    service = generation["spec"]["serviceName"]
    port = _grpc_port(objects, service)
    expected = ",".join(f"windowkv-generation-{i}.{service}:{port}" for i in range(most))
    wrong = []
    if flags["generation"] != expected:
        wrong.append(f"--generation is {flags['generation']}, the Pods are {expected}")
    classifier = "windowkv-classifier"
    if flags["classifier"] != f"{classifier}:{_grpc_port(objects, classifier)}":
        wrong.append(f"--classifier is {flags['classifier']}")
    return wrong


def autoscalers_agree(one, other):
    """A HorizontalPodAutoscaler and KEDA's ScaledObject follow the same rule. Of two renderings."""
    scaler = manifests.named(one, "HorizontalPodAutoscaler", "windowkv-generation")["spec"]
    keda = manifests.named(other, "ScaledObject", "windowkv-generation")["spec"]
    pairs = {
        "least": (scaler["minReplicas"], keda["minReplicaCount"]),
        "most": (scaler["maxReplicas"], keda["maxReplicaCount"]),
        "behavior": (scaler["behavior"], keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]),
    }
    return [f"{name}: {ours} and {kedas}" for name, (ours, kedas) in pairs.items() if ours != kedas]


def _grpc_port(objects, service):
    ports = manifests.named(objects, "Service", service)["spec"]["ports"]
    return next(port["port"] for port in ports if port["name"] == "grpc")


def drain_fits(objects):
    """Kubernetes waits for preStop and the whole drain before it kills."""
    wrong = []
    for program, item, container in _each(objects):
        needed = container["lifecycle"]["preStop"]["sleep"]["seconds"] + _EXIT_SECONDS
        needed += manifests.seconds_of(program_flags.effective(objects, item)["drain-timeout"])
        grace = manifests.pod(item)["terminationGracePeriodSeconds"]
        if grace < needed:
            wrong.append(f"{program}: terminationGracePeriodSeconds is {grace}, needed {needed}")
    return wrong


def memory_fits(objects):
    """The limit holds the pool, the model, messages and the queue: the model twice, for another
    number format, or with a GPU its file alone; a router holds what waits twice."""
    wrong = []
    for program, item, container in _each(objects):
        flags = program_flags.effective(objects, item)
        needed = sum(manifests.bytes_of(flags.get(flag) or 0) for flag in
                     ("kv-pool-bytes", "connection-memory", "max-waiting-bytes"))
        if program == "windowkv-router":
            needed += manifests.bytes_of(flags.get("max-waiting-bytes") or 0)
        copies = 1 if flags.get("device") == "cuda" else 2
        needed += copies * _model_bytes(item, flags)
        limit = manifests.bytes_of(container["resources"]["limits"]["memory"])
        if limit < needed:
            wrong.append(f"{program}: memory limit {limit}, its flags need {needed}")
    return wrong


def _model_bytes(item, flags):
    stated = item["metadata"].get("annotations", {}).get("windowkv-model-bytes")
    if stated:
        return manifests.bytes_of(stated)
    if not flags.get("model"):
        return 0
    return sum(file.stat().st_size for file in baked_model(flags["model"]).iterdir())


def baked_model(path):
    """Where this tree has the model that an image carries at `path`."""
    return tools.ROOT / "deploy" / "models" / pathlib.PurePosixPath(path).name


def threads_fit(objects):
    """A program with a processor limit has as many threads as the limit has processors."""
    wrong = []
    for program, item, container in _each(objects):
        limit = container["resources"]["limits"].get("cpu")
        threads = program_flags.effective(objects, item).get("threads")
        if limit and threads != limit:
            wrong.append(f"{program}: {threads} threads for {limit} processors")
    return wrong


def files_exist(objects):
    """Every file that a flag names is mounted, or is in the program's image."""
    wrong = []
    for program, item, container in _each(objects):
        maps = {path: manifests.named(objects, "ConfigMap", name)["data"]
                for path, name in manifests.config_maps(item).items()}
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        flags = program_flags.effective(objects, item)
        config = pathlib.PurePosixPath(flags["config"])
        if config.name not in maps.get(str(config.parent), {}):
            wrong.append(f"{program}: no ConfigMap has {config}")
        model = flags.get("model")
        if model and "/models" not in mounts and not baked_model(model).is_dir():
            wrong.append(f"{program}: neither the image nor a volume has {model}")
        if model and pathlib.PurePosixPath(model).parent != pathlib.PurePosixPath("/models"):
            wrong.append(f"{program}: {model} is not in /models")
        for flag in (name for name in flags if re.fullmatch("(backend-)?tls-(cert|key|(client-)?ca)", name)):
            path = flags.get(flag)
            if path and str(pathlib.PurePosixPath(path).parent) not in mounts:
                wrong.append(f"{program}: nothing is mounted for --{flag}={path}")
    return wrong


def probes_fit_tls(objects):
    """The kubelet's gRPC probes speak no TLS; the router speaks it to all servers behind it or to none."""
    wrong = []
    router = manifests.workload(objects, "windowkv-router")
    router_calls = bool(program_flags.effective(objects, router).get("backend-tls-ca"))
    for program, item, container in _each(objects):
        listens = bool(program_flags.effective(objects, item).get("tls-cert"))
        if program != "windowkv-router" and listens != router_calls:
            wrong.append(f"{program}: it and the router do not agree on TLS")
        if not listens:
            continue
        wrong += [f"{program}: {kind} speaks plain gRPC"
                  for kind, probe in manifests.probes(container).items() if "grpc" in probe]
    return wrong


def selectors_match(objects):
    """Each selector selects the one workload that is meant."""
    wrong = []
    for item in manifests.workloads(objects):
        labels = manifests.pod_labels(item)
        spread = [one["labelSelector"] for one in manifests.pod(item)["topologySpreadConstraints"]]
        for selector in [item["spec"]["selector"], *spread]:
            if not manifests.selects(selector["matchLabels"], labels):
                wrong.append(f"{item['metadata']['name']} does not select its own Pods")
        for kind in ("Service", "PodDisruptionBudget"):
            if not any(_selected(objects, one) == [item] for one in manifests.of_kind(objects, kind)):
                wrong.append(f"{item['metadata']['name']} has no {kind}")
    for one in manifests.of_kind(objects, "Service", "PodDisruptionBudget", "NetworkPolicy",
                                 "PodMonitor"):
        if not _selected(objects, one):
            wrong.append(f"{one['kind']} {one['metadata']['name']} selects nothing")
    for one in manifests.of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = one["spec"]["scaleTargetRef"]
        if not any((item["apiVersion"], item["kind"], item["metadata"]["name"]) ==
                   (target["apiVersion"], target["kind"], target["name"])
                   for item in manifests.workloads(objects)):
            wrong.append(f"{one['kind']} {one['metadata']['name']} scales nothing")
    return wrong


def _selected(objects, one):
    spec = one["spec"]
    selector = spec.get("podSelector", spec.get("selector"))
    selector = selector.get("matchLabels", {} if one["kind"] != "Service" else selector)
    return [item for item in manifests.workloads(objects)
            if manifests.selects(selector, manifests.pod_labels(item))]


def pods_are_confined(objects):
    """No token, no root, nothing to write on, no capability; in init containers as well."""
    wrong = []
    for program, item, _ in _each(objects):
        spec = manifests.pod(item)
        context = spec["securityContext"]
        if not context["runAsNonRoot"] or context["runAsUser"] == 0 or context["runAsGroup"] == 0:
            wrong.append(f"{program}: may run as root")
        if context["seccompProfile"] != {"type": "RuntimeDefault"}:
            wrong.append(f"{program}: no seccomp profile")
        account = manifests.named(objects, "ServiceAccount", spec["serviceAccountName"])
        if spec["automountServiceAccountToken"] or account["automountServiceAccountToken"]:
            wrong.append(f"{program}: gets a token")
        if spec["enableServiceLinks"]:
            wrong.append(f"{program}: Services' variables could be taken for flags")
        for container in spec["containers"] + spec.get("initContainers", []):
            if container.get("securityContext") != {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]}}:
                wrong.append(f"{program}: {container['name']}: securityContext")
    return wrong


def priorities_exist(objects):
    classes = {item["metadata"]["name"] for item in manifests.of_kind(objects, "PriorityClass")}
    return [f"{program}: there is no PriorityClass {manifests.pod(item)['priorityClassName']}"
            for program, item, _ in _each(objects)
            if manifests.pod(item)["priorityClassName"] not in classes]


def images_are_this_version(objects):
    version = re.search(r"project\(windowkv VERSION ([0-9.]+)",
                        (tools.ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
    return [f"{program}: image {container['image']}, the version is {version}"
            for program, item, _ in _each(objects)
            for container in (manifests.pod(item)["containers"] +
                              manifests.pod(item).get("initContainers", []))
            if not container["image"].endswith(f":{version}")]


def gpus_are_used(objects):
    """A GPU is asked for, --device=cuda given and the image for it taken together; the limit alone
    chooses the node, since not every cluster labels those with GPUs."""
    wrong = []
    for program, item, container in _each(objects):
        device = program_flags.effective(objects, item).get("device", "cpu")
        has_gpu = "nvidia.com/gpu" in container["resources"]["limits"]
        image = container["image"].split(":")[0]
        if has_gpu and device != "cuda":
            wrong.append(f"{program}: has a GPU: give it device=cuda")
        if device == "cuda" and not has_gpu:
            wrong.append(f"{program}: device=cuda without a GPU")
        if has_gpu != image.endswith("-cuda"):
            wrong.append(f"{program}: image {image}, GPU: {has_gpu}")
        if "nodeSelector" in manifests.pod(item):
            wrong.append(f"{program}: needs nodes with a label")
    return wrong


ALL = (flags_exist, ports_agree, jobs_match_alerts, backends_exist, drain_fits, memory_fits, threads_fit,
       files_exist, probes_fit_tls, selectors_match, pods_are_confined, priorities_exist,
       images_are_this_version, gpus_are_used)
