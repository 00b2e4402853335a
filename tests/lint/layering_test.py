#!/usr/bin/env python3
"""Runs layering.py on small trees, each with one broken rule, and on one with none."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class LayeringTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def write(self, path, *lines):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def lint(self, *arguments):
        return subprocess.run(
            [sys.executable, HERE / "layering.py", "--root", self.root, *arguments],
            capture_output=True, text=True, timeout=60)

    def assert_broken(self, *parts):
        """One line of the output holds all parts."""
        result = self.lint()
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        lines = result.stdout.splitlines()
        self.assertTrue(any(all(p in line for p in parts) for line in lines), result.stdout)

    def assert_clean(self):
        result = self.lint()
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_accepts_allowed_edges(self):
        self.write("engine/base/status.h", '#include "absl/status/status.h"')
        self.write("engine/kernels/rope.h",
                   '#include "engine/base/status.h"', "#include <ATen/ops/add.h>")
        self.write("engine/kv_cache/manager.cc", '#include "engine/kernels/rope.h"')
        self.write("server/generation/service.cc",
                   '#include "windowkv/v1/generation.grpc.pb.h"')
        self.write("engine/base/CMakeLists.txt",
                   "windowkv_library(base SOURCES status.cc PUBLIC absl::status)")
        self.write("engine/kernels/CMakeLists.txt",
                   "windowkv_library(kernels SOURCES rope.cc",
                   "  PUBLIC windowkv::base PRIVATE LibTorch::torch_cpu)")
        self.assert_clean()

    def test_names_file_line_and_edge_of_a_forbidden_include(self):
        self.write("engine/model/layer.h", "")
        self.write("engine/kv_cache/manager.h", "// why", "", '#include "engine/model/layer.h"')
        self.assert_broken("engine/kv_cache/manager.h:3:", "engine/kv_cache -> engine/model")

    def test_reads_angle_brackets_and_spaces(self):
        self.write("engine/base/status.h", "#  include <engine/text/tokenizer.h>")
        self.assert_broken("engine/base/status.h:1:", "engine/base -> engine/text")

    def test_a_neighbours_neighbour_is_not_allowed(self):
        self.write("server/generation/service.cc", '#include "engine/kernels/rope.h"')
        self.assert_broken("server/generation/service.cc:1:", "server/generation -> engine/kernels")

    def test_client_uses_the_protobuf_interface_only(self):
        self.write("client/client.cc",
                   '#include "windowkv/v1/types.pb.h"', '#include "server/rpc/deadline.h"')
        self.assert_broken("client/client.cc:2:", "client -> server/rpc")

    def test_the_engine_knows_no_rpc(self):
        self.write("engine/runtime/loop.cc",
                   "#include <grpcpp/grpcpp.h>", '#include "windowkv/v1/types.pb.h"')
        self.assert_broken("engine/runtime/loop.cc:1:", "engine/runtime -> gRPC")
        self.assert_broken("engine/runtime/loop.cc:2:", "engine/runtime -> protobuf")
        self.assert_broken("engine/runtime/loop.cc:2:", "engine/runtime -> proto ")

    def test_prometheus_stays_in_metrics(self):
        self.write("server/metrics/registry.cc", "#include <prometheus/registry.h>")
        self.assert_clean()
        self.write("server/router/router.cc", "#include <prometheus/registry.h>")
        self.assert_broken("server/router/router.cc:1:", "server/router -> prometheus-cpp")

    def test_flags_stay_in_main_files(self):
        self.write("server/router/router_main.cc", "#include <CLI/CLI.hpp>")
        self.assert_clean()
        self.write("server/router/router.cc", "#include <CLI/CLI.hpp>")
        self.assert_broken("server/router/router.cc:1:", "server/router -> CLI11")

    def test_the_engines_public_headers_stay_free_of_libtorch(self):
        self.write("engine/runtime/engine.h", '#include "engine/kv_cache/config.h"')
        self.write("engine/kv_cache/config.h", '#include "ATen/core/Tensor.h"')
        self.assert_broken("engine/runtime/engine.h:1:", "must not reach LibTorch",
                           "engine/runtime/engine.h -> engine/kv_cache/config.h -> ATen/core/Tensor.h")

    def test_no_file_sees_both_libtorch_and_protobuf(self):
        self.write("engine/nn/linear.h", '#include "ATen/core/Tensor.h"')
        self.write("classifier_service/service.cc",
                   '#include "windowkv/v1/classifier.pb.h"', '#include "engine/nn/linear.h"')
        self.assert_broken("classifier_service/service.cc:1:", "sees both LibTorch and protobuf")

    def test_programs_do_not_use_test_code(self):
        self.write("engine/base/status.cc", '#include "tests/testing/fake_engine.h"')
        self.assert_broken("engine/base/status.cc:1:", "engine/base -> tests")

    def test_includes_are_by_repository_path(self):
        self.write("engine/base/status.h", "")
        self.write("engine/base/status.cc", '#include "status.h"')
        self.assert_broken("engine/base/status.cc:1:", "repository path")

    def test_a_new_folder_needs_a_row(self):
        self.write("server/gateway/gateway.h", "")
        self.assert_broken("server/gateway/gateway.h:1:", "in no room")

    def test_names_file_line_and_edge_of_a_forbidden_link(self):
        self.write("engine/model/CMakeLists.txt", "windowkv_library(model SOURCES model.cc)")
        self.write("engine/text/CMakeLists.txt",
                   "windowkv_library(text",
                   "  SOURCES bpe.cc",
                   "  # not needed",
                   "  PRIVATE windowkv::model)")
        self.assert_broken("engine/text/CMakeLists.txt:4:", "engine/text -> engine/model",
                           "windowkv::text links windowkv::model")

    def test_reads_later_link_lines(self):
        self.write("engine/sampling/CMakeLists.txt",
                   "windowkv_library(sampling SOURCES sampler.cc)",
                   "target_link_libraries(windowkv_sampling PRIVATE prometheus-cpp::core)")
        self.assert_broken("engine/sampling/CMakeLists.txt:2:", "engine/sampling -> prometheus-cpp")

    def test_the_router_never_links_libtorch(self):
        self.write("engine/base/CMakeLists.txt",
                   "windowkv_library(base SOURCES status.cc PRIVATE LibTorch::torch_cpu)")
        self.write("server/router/CMakeLists.txt",
                   "windowkv_executable(windowkv-router",
                   "  SOURCES router_main.cc LIBRARIES windowkv::base)")
        self.assert_broken("server/router/CMakeLists.txt:1:",
                           "windowkv-router -> windowkv::base -> LibTorch::torch_cpu")

    def test_refuses_a_table_with_a_cycle(self):
        self.write("rules.toml", "[rooms]", '"a" = ["b"]', '"b" = ["a"]')
        result = self.lint("--rules", self.root / "rules.toml")
        self.assertEqual(result.returncode, 2)
        self.assertIn("a -> b -> a", result.stderr)

    def test_refuses_a_table_with_an_unknown_room(self):
        self.write("rules.toml", "[rooms]", '"a" = ["b"]')
        result = self.lint("--rules", self.root / "rules.toml")
        self.assertEqual(result.returncode, 2)
        self.assertIn("a may use b", result.stderr)


if __name__ == "__main__":
    unittest.main()
