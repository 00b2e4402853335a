#include "engine/weights/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Little-endian bytes of numbers.
template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

std::string OneTensorFile(const std::string& name, const std::string& dtype,
                          const std::string& shape, const std::string& data) {
  return SafetensorsBytes("{\"" + name + R"(": {"dtype": ")" + dtype + R"(", "shape": )" + shape +
                              R"(, "data_offsets": [0, )" + std::to_string(data.size()) + "]}}",
                          data);
}

std::vector<float> Values(const at::Tensor& tensor) {
  const at::Tensor floats = tensor.to(at::kFloat).contiguous();
  return {floats.const_data_ptr<float>(), floats.const_data_ptr<float>() + floats.numel()};
}

struct Conversion {
  const char* name;
  const char* dtype;
  std::string bytes;  // of 1, -2.5
  at::ScalarType to;
};

class CheckpointConversion : public testing::TestWithParam<Conversion> {};

TEST_P(CheckpointConversion, KeepsTheValues) {
  const std::string dir = FreshTestDir();
  WriteFile(dir + "/model.safetensors",
            OneTensorFile("w", GetParam().dtype, "[2, 1]", GetParam().bytes));
  const auto checkpoint = Checkpoint::Open(dir);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto tensor = checkpoint->Load("w", {2, 1}, GetParam().to);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->scalar_type(), GetParam().to);
  EXPECT_TRUE(tensor->is_contiguous());
  EXPECT_THAT(Values(*tensor), ElementsAre(1, -2.5F));
}

const std::string& Float32Bytes() {
  static const auto* const bytes = new std::string(Bytes<float>({1, -2.5F}));
  return *bytes;
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckpointConversion,
    testing::Values(
        Conversion{"F32ToF32", "F32", Float32Bytes(), at::kFloat},
        Conversion{"F32ToBf16", "F32", Float32Bytes(), at::kBFloat16},
        Conversion{"F16ToF32", "F16", Bytes<uint16_t>({0x3c00, 0xc100}), at::kFloat},
        Conversion{"F16ToBf16", "F16", Bytes<uint16_t>({0x3c00, 0xc100}), at::kBFloat16},
        Conversion{"Bf16ToF32", "BF16", Bytes<uint16_t>({0x3f80, 0xc020}), at::kFloat},
        Conversion{"Bf16ToBf16", "BF16", Bytes<uint16_t>({0x3f80, 0xc020}), at::kBFloat16}),
    [](const auto& info) { return info.param.name; });

// Two shards with one tensor each, "a" and "b".
std::string TwoShards() {
  std::string dir = FreshTestDir();
  WriteFile(dir + "/model-1.safetensors", OneTensorFile("a", "F32", "[1]", Bytes<float>({7})));
  WriteFile(dir + "/model-2.safetensors",
            OneTensorFile("b", "BF16", "[4]", Bytes<uint16_t>({0x3f80, 0, 0, 0})));
  return dir;
}

void WriteIndex(const std::string& dir, const std::string& text) {
  WriteFile(dir + "/model.safetensors.index.json", text);
}

TEST(Checkpoint, LoadsFromEveryShard) {
  const std::string dir = TwoShards();
  WriteIndex(dir, R"({"metadata": {"total_size": 12},
                      "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(dir);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(checkpoint->Has("a"));
  EXPECT_TRUE(checkpoint->Has("b"));
  EXPECT_FALSE(checkpoint->Has("c"));
  EXPECT_THAT(Values(*checkpoint->Load("a", {1}, at::kFloat)), ElementsAre(7));
  EXPECT_THAT(Values(*checkpoint->Load("b", {4}, at::kFloat)), ElementsAre(1, 0, 0, 0));
}

TEST(Checkpoint, TensorsOutliveIt) {
  const std::string dir = FreshTestDir();
  WriteFile(dir + "/model.safetensors", OneTensorFile("w", "F32", "[2]", Float32Bytes()));
  at::Tensor tensor;
  {
    const auto checkpoint = Checkpoint::Open(dir);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    tensor = *checkpoint->Load("w", {2}, at::kFloat);
  }
  EXPECT_THAT(Values(tensor), ElementsAre(1, -2.5F));
}

TEST(Checkpoint, LoadNamesFileTensorExpectedAndFound) {
  const std::string dir = FreshTestDir();
  WriteFile(dir + "/model.safetensors", OneTensorFile("w", "F32", "[2]", Float32Bytes()));
  const auto checkpoint = Checkpoint::Open(dir);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();

  const absl::Status shape = checkpoint->Load("w", {2, 1}, at::kFloat).status();
  EXPECT_EQ(shape.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(shape.message()),
              HasSubstr("model.safetensors: tensor \"w\": expected shape [2, 1], found [2]"));

  const absl::Status missing = checkpoint->Load("v", {3}, at::kFloat).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()),
              AllOf(HasSubstr(dir), HasSubstr("tensor \"v\": expected shape [3]")));
}

TEST(Checkpoint, IntegerWeightsAreRefusedWhenLoaded) {
  const std::string dir = FreshTestDir();
  WriteFile(dir + "/model.safetensors", OneTensorFile("w", "I8", "[2]", "ab"));
  const auto checkpoint = Checkpoint::Open(dir);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(checkpoint->Has("w"));
  const absl::Status status = checkpoint->Load("w", {2}, at::kFloat).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected dtype F32, F16 or BF16, found I8"));
}

TEST(Checkpoint, DirectoryWithoutWeightsIsNotFound) {
  const absl::Status status = Checkpoint::Open(FreshTestDir()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected model.safetensors or model.safetensors.index.json"));
}

struct BadIndex {
  const char* name;
  std::string text;
  std::string says;
  absl::StatusCode code = absl::StatusCode::kDataLoss;
};

class CheckpointBadIndex : public testing::TestWithParam<BadIndex> {};

TEST_P(CheckpointBadIndex, IsRefusedWithTheReason) {
  const std::string dir = TwoShards();
  WriteIndex(dir, GetParam().text);
  const absl::Status status = Checkpoint::Open(dir).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("model.safetensors.index.json: "), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckpointBadIndex,
    testing::Values(
        BadIndex{"BrokenJson", "{\"weight_map\"", "parse error"},
        BadIndex{"Empty", "", "parse error"},
        BadIndex{"NoWeightMap", "{}", "weight_map: expected an object, found nothing"},
        BadIndex{"WeightMapNotAnObject", R"({"weight_map": ["a"]})",
                 "weight_map: expected an object, found [\"a\"]"},
        BadIndex{"ShardNotText", R"({"weight_map": {"a": 1}})", "weight_map.a: expected the name"},
        BadIndex{"TensorTwice",
                 R"({"weight_map": {"a": "model-1.safetensors", "a": "model-2.safetensors"}})",
                 "key \"a\": expected once"},
        BadIndex{"ParentDirectory", R"({"weight_map": {"a": "../model-1.safetensors"}})",
                 "found \"../model-1.safetensors\""},
        BadIndex{"AbsolutePath", R"({"weight_map": {"a": "/etc/x.safetensors"}})",
                 "found \"/etc/x.safetensors\""},
        BadIndex{"NulInName", R"({"weight_map": {"a": "model-1\u0000.safetensors"}})",
                 "weight_map.a"},
        BadIndex{"OtherFile", R"({"weight_map": {"a": "config.json"}})", "found \"config.json\""},
        BadIndex{"EmptyName", R"({"weight_map": {"a": ""}})", "found \"\""},
        BadIndex{"MissingShard", R"({"weight_map": {"a": "model-3.safetensors"}})",
                 "tensor \"a\": expected in model-3.safetensors, found no such file",
                 absl::StatusCode::kNotFound},
        BadIndex{"TensorInAnotherShard", R"({"weight_map": {"a": "model-2.safetensors"}})",
                 "tensor \"a\": expected in model-2.safetensors, found no such tensor there"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
