#!/usr/bin/env python3
"""Every object of every rendering against the API's schemas, unknown fields not allowed."""

import copy
import json
import unittest

import tools

tools.require_wheels()

import kubernetes_validate  # noqa: E402
import pydantic  # noqa: E402
from cloudcoil.models.keda.v1alpha1 import ScaledObject  # noqa: E402
from cloudcoil.models.prometheus_operator.v1 import PodMonitor  # noqa: E402

import manifests  # noqa: E402

# The minor versions that upstream supports at once.
VERSIONS = ("1.35.0", "1.36.0", "1.37.0")

# Classes generated from the CRDs that the Prometheus operator 0.80 and KEDA 2.16 publish.
CUSTOM = {"PodMonitor": PodMonitor, "ScaledObject": ScaledObject}


def unknown_fields(read, given, path=""):
    """What `given` has beyond the fields that its class knew: the classes let those pass."""
    if isinstance(given, dict):
        for key, value in given.items():
            where = f"{path}.{key}"
            if isinstance(read, pydantic.BaseModel):
                fields = {info.alias or name: name
                          for name, info in type(read).model_fields.items()}
                if key not in fields:
                    yield where
                else:
                    yield from unknown_fields(getattr(read, fields[key]), value, where)
            elif isinstance(read, dict):
                yield from unknown_fields(read[key], value, where)
    elif isinstance(given, list):
        for index, value in enumerate(given):
            yield from unknown_fields(read[index], value, f"{path}[{index}]")


class SchemaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = manifests.render_all()
        # Many objects are the same in several renderings.
        cls.objects = list({json.dumps(item, sort_keys=True): item
                            for objects in cls.renderings.values() for item in objects}.values())

    def test_objects_fit_the_schemas_of_three_versions(self):
        for item in self.objects:
            if item["kind"] in CUSTOM:
                continue
            for version in VERSIONS:
                with self.subTest(kind=item["kind"], name=item["metadata"]["name"], version=version):
                    self.assertEqual(kubernetes_validate.validate(item, version, strict=True),
                                     version.removesuffix(".0"))

    def test_custom_objects_fit_their_published_schemas(self):
        found = [item for item in self.objects if item["kind"] in CUSTOM]
        self.assertEqual({item["kind"] for item in found}, set(CUSTOM))
        for item in found:
            with self.subTest(kind=item["kind"]):
                read = CUSTOM[item["kind"]].model_validate(item)
                self.assertEqual(list(unknown_fields(read.spec, item["spec"])), [])

    def test_a_misspelt_field_is_found(self):
        item = copy.deepcopy(manifests.workload(self.renderings["base"], "windowkv-router"))
        manifests.server(item)["readinessProbe"]["periodSecond"] = 1
        for version in VERSIONS:
            with self.assertRaisesRegex(kubernetes_validate.ValidationError, "periodSecond"):
                kubernetes_validate.validate(item, version, strict=True)

    def test_a_misspelt_field_of_a_custom_object_is_found(self):
        for objects in self.renderings.values():
            for item in copy.deepcopy(manifests.of_kind(objects, "ScaledObject")):
                item["spec"]["triggers"][0]["metricTyp"] = "AverageValue"
                read = ScaledObject.model_validate(item)
                self.assertEqual(list(unknown_fields(read.spec, item["spec"])),
                                 [".triggers[0].metricTyp"])
                return
        self.fail("no rendering has a ScaledObject")


if __name__ == "__main__":
    unittest.main()
