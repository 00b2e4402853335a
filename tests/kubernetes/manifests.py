"""The manifests as kustomize renders them, and the questions that the tests ask of them."""

import functools
import pathlib
import shutil
import subprocess
import tempfile

import yaml

import tools

SOURCE = tools.ROOT / "deploy" / "kubernetes"
PROGRAMS = ("windowkv-router", "windowkv-classifier", "windowkv-generation")

# What no overlay of the tree uses.
_REMAINING_COMPONENTS = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: windowkv
resources: [../../base]
components: [../../components/tls, ../../components/tls_backends, ../../components/keda]
configMapGenerator:
  - name: windowkv-router-flags
    behavior: merge
    files: [router.conf]
"""


def build(folder):
    """The objects that kustomize makes of a folder."""
    result = subprocess.run([tools.KUBECTL, "kustomize", folder], capture_output=True, text=True,
                            timeout=60)
    if result.returncode != 0 or result.stderr:
        raise AssertionError(f"kustomize {folder}: {result.stderr}")
    return [item for item in yaml.safe_load_all(result.stdout) if item]


def build_overlay(kustomization, *files):
    """The objects of an overlay that the tree does not have; `files` are paths below deploy/kubernetes."""
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / "kubernetes"
        shutil.copytree(SOURCE, copy)
        overlay = copy / "overlays" / "another"
        overlay.mkdir()
        (overlay / "kustomization.yaml").write_text(kustomization, encoding="utf-8")
        for file in files:
            shutil.copy(copy / file, overlay)
        return build(overlay)


@functools.cache
def render_all():
    """Name of a rendering → its objects; together they use every file of deploy/kubernetes. Shared by
    a program's tests: who changes one changes a copy."""
    return {
        "base": build(SOURCE / "base"),
        "cpu-demo": build(SOURCE / "overlays" / "cpu-demo"),
        "gpu": build(SOURCE / "overlays" / "gpu"),
        # The router names as many Pods as KEDA may start.
        "base, tls, keda": build_overlay(_REMAINING_COMPONENTS, "overlays/gpu/router.conf"),
    }


def of_kind(objects, *kinds):
    return [item for item in objects if item["kind"] in kinds]


def named(objects, kind, name):
    for item in of_kind(objects, kind):
        if item["metadata"]["name"] == name:
            return item
    raise AssertionError(f"there is no {kind} {name}")


def workloads(objects):
    return of_kind(objects, "Deployment", "StatefulSet")


def workload(objects, name):
    return next(item for item in workloads(objects) if item["metadata"]["name"] == name)


def pod(item):
    return item["spec"]["template"]["spec"]


def pod_labels(item):
    return item["spec"]["template"]["metadata"]["labels"]


def server(item):
    return next(one for one in pod(item)["containers"] if one["name"] == "server")


def probes(container):
    return {kind: container[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}


def selects(match_labels, labels):
    return all(labels.get(key) == value for key, value in match_labels.items())


def config_maps(item):
    """Mount path → name of the ConfigMap."""
    volumes = {volume["name"]: volume for volume in pod(item).get("volumes", [])}
    return {mount["mountPath"]: volumes[mount["name"]]["configMap"]["name"]
            for mount in server(item)["volumeMounts"]
            if "configMap" in volumes.get(mount["name"], {})}


def bytes_of(quantity):
    """Bytes of 4Gi, and of the programs' 4GiB."""
    text = str(quantity).removesuffix("B")
    for suffix, shift in (("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40)):
        if text.endswith(suffix):
            return int(text.removesuffix(suffix)) << shift
    return int(text)


def seconds_of(duration):
    """Seconds of the programs' 30s and 1m30s."""
    seconds, digits = 0, ""
    for character in str(duration):
        if character.isdigit():
            digits += character
        else:
            seconds += int(digits) * {"h": 3600, "m": 60, "s": 1}[character]
            digits = ""
    return seconds
