#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/nn/embedding.h"
#include "engine/nn/linear.h"
#include "engine/nn/swiglu_mlp.h"
#include "engine/weights/checkpoint.h"
#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

constexpr int64_t kHidden = 20;
constexpr int64_t kIntermediate = 37;
constexpr int64_t kVocab = 11;

at::Tensor Random(std::mt19937& random, at::IntArrayRef shape) {
  at::Tensor x = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  float* out = x.mutable_data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = static_cast<float>(random() % 2001) / 1000 - 1;
  return x;
}

// The modules of a checkpoint written for each test, float32 on disk, computed with in both dtypes.
class ModulesTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    for (const auto& [name, shape] : std::vector<std::pair<std::string, std::vector<int64_t>>>{
             {"embed.weight", {kVocab, kHidden}},
             {"a.weight", {7, kHidden}},
             {"a.bias", {7}},
             {"b.weight", {5, kHidden}},
             {"b.bias", {5}},
             {"mlp.gate_proj.weight", {kIntermediate, kHidden}},
             {"mlp.gate_proj.bias", {kIntermediate}},
             {"mlp.up_proj.weight", {kIntermediate, kHidden}},
             {"mlp.up_proj.bias", {kIntermediate}},
             {"mlp.down_proj.weight", {kHidden, kIntermediate}},
             {"mlp.down_proj.bias", {kHidden}},
         }) {
      weights_.emplace_back(name, Random(random_, shape));
    }
    const std::string dir = FreshTestDir();
    WriteFile(dir + "/model.safetensors", CheckpointBytes());
    checkpoint_.emplace(*Checkpoint::Open(dir));
  }

  std::string CheckpointBytes() const {
    std::string header = "{";
    std::string data;
    for (const auto& [name, weight] : weights_) {
      std::string shape;
      for (const int64_t size : weight.sizes()) {
        shape += (shape.empty() ? "" : ",") + std::to_string(size);
      }
      const size_t begin = data.size();
      data.append(static_cast<const char*>(weight.const_data_ptr()), weight.nbytes());
      header += (begin == 0 ? "\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + shape +
                "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) +
                "]}";
    }
    return SafetensorsBytes(header + "}", data);
  }

  // The weight as the modules hold it, in float64.
  at::Tensor Weight(std::string_view name) const {
    for (const auto& [other, weight] : weights_) {
      if (other == name) return weight.to(GetParam()).to(at::kDouble);
    }
    ADD_FAILURE() << "no weight " << name;
    return {};
  }

  at::Tensor Affine(const at::Tensor& x, const std::string& name) const {
    return x.to(at::kDouble).matmul(Weight(name + ".weight").t()) + Weight(name + ".bias");
  }

  at::Tensor Input(int64_t rows) { return Random(random_, {rows, kHidden}).to(GetParam()); }

  // In bfloat16 every step between two products rounds.
  void ExpectClose(const at::Tensor& actual, const at::Tensor& expected) const {
    ASSERT_EQ(actual.sizes(), expected.sizes());
    const double largest = expected.abs().max().item<double>();
    const double tolerance = GetParam() == at::kFloat ? 5e-6 : 0x1.0p-6;
    EXPECT_LE((actual.to(at::kDouble) - expected).abs().max().item<double>(), tolerance * largest);
  }

  std::mt19937 random_{1};
  std::vector<std::pair<std::string, at::Tensor>> weights_;
  std::optional<Checkpoint> checkpoint_;
};

TEST_P(ModulesTest, EmbeddingLooksUpRows) {
  const Embedding embedding = *Embedding::Load(*checkpoint_, "embed", kVocab, kHidden, GetParam());
  const std::vector<int32_t> ids = {10, 0, 3, 3};
  at::Tensor out = at::empty({4, kHidden}, embedding.weight().options());
  embedding.Lookup(at::tensor(ids, at::kInt), out);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(out.select(0, i).equal(embedding.weight().select(0, ids[i])));
  }
  EXPECT_TRUE(embedding.weight().to(at::kDouble).equal(Weight("embed.weight")));
}

TEST_P(ModulesTest, StackedProjectionsGiveTheirPartsSideBySide) {
  const Linear linear =
      *Linear::Load(*checkpoint_, {{"a", 7}, {"b", 5}}, kHidden, /*bias=*/true, GetParam());
  EXPECT_EQ(linear.out_features(), 12);
  const at::Tensor x = Input(6);
  const at::Tensor out = linear.Forward(x);
  ExpectClose(out.slice(1, 0, 7), Affine(x, "a"));
  ExpectClose(out.slice(1, 7), Affine(x, "b"));
}

TEST_P(ModulesTest, ASliceGivesItsFeaturesWithTheirBiases) {
  const Linear linear =
      *Linear::Load(*checkpoint_, {{"a", 7}, {"b", 5}}, kHidden, /*bias=*/true, GetParam());
  const at::Tensor x = Input(3);
  ExpectClose(linear.Slice(7, 12).Forward(x), Affine(x, "b"));
}

TEST_P(ModulesTest, AnyNumberOfRowsGivesTheSameProduct) {
  const Linear linear = *Linear::Load(*checkpoint_, {{"a", 7}}, kHidden, /*bias=*/true, GetParam());
  for (const int64_t rows : {1, 16, 17, 40}) {
    SCOPED_TRACE(rows);
    const at::Tensor x = Input(rows);
    ExpectClose(linear.Forward(x), Affine(x, "a"));
    at::Tensor residual = Random(random_, {rows, 7}).to(GetParam());
    const at::Tensor expected = Affine(x, "a") + residual.to(at::kDouble);
    linear.AddForward(x, residual);
    ExpectClose(residual, expected);
  }
}

TEST_P(ModulesTest, DecodingComputesWhatForwardComputes) {
  const Linear linear = *Linear::Load(*checkpoint_, {{"a", 7}}, kHidden, /*bias=*/true, GetParam());
  const at::Tensor x = Input(3);
  at::Tensor out = at::empty({3, 7}, x.options());
  linear.DecodeForward(x, Accumulate::kNo, out);
  ExpectClose(out, Affine(x, "a"));
  at::Tensor residual = Random(random_, {3, 7}).to(GetParam());
  const at::Tensor expected = Affine(x, "a") + residual.to(at::kDouble);
  at::Tensor decoded = residual.clone();
  linear.DecodeForward(x, Accumulate::kYes, decoded);
  ExpectClose(decoded, expected);
}

TEST_P(ModulesTest, BiasesAreOnlyReadWhenAskedFor) {
  const Linear linear =
      *Linear::Load(*checkpoint_, {{"a", 7}}, kHidden, /*bias=*/false, GetParam());
  const at::Tensor x = Input(2);
  ExpectClose(linear.Forward(x), x.to(at::kDouble).matmul(Weight("a.weight").t()));
  EXPECT_FALSE(
      Linear::Load(*checkpoint_, {{"embed", kVocab}}, kHidden, /*bias=*/true, GetParam()).ok());
}

TEST_P(ModulesTest, LoadingRefusesAnotherShape) {
  EXPECT_FALSE(Linear::Load(*checkpoint_, {{"a", 8}}, kHidden, false, GetParam()).ok());
  EXPECT_FALSE(Embedding::Load(*checkpoint_, "embed", kVocab, 21, GetParam()).ok());
  EXPECT_FALSE(
      SwiGluMlp::Load(*checkpoint_, "mlp", kHidden, kIntermediate + 1, false, GetParam()).ok());
}

TEST_P(ModulesTest, TheFeedForwardPartFollowsItsFormula) {
  const SwiGluMlp mlp =
      *SwiGluMlp::Load(*checkpoint_, "mlp", kHidden, kIntermediate, /*bias=*/true, GetParam());
  const auto feed_forward = [this](const at::Tensor& x) {
    const at::Tensor gate = Affine(x, "mlp.gate_proj");
    return Affine(gate * gate.sigmoid() * Affine(x, "mlp.up_proj"), "mlp.down_proj");
  };
  const at::Tensor x = Input(5);
  at::Tensor residual = Random(random_, {5, kHidden}).to(GetParam());
  at::Tensor decoded = residual.clone();
  const at::Tensor expected = feed_forward(x) + residual.to(at::kDouble);
  mlp.AddForward(x, residual);
  ExpectClose(residual, expected);

  // A decode step normalises the residual stream itself.
  const at::Tensor wide = decoded.to(at::kDouble);
  const at::Tensor norm = Random(random_, {kHidden}).to(GetParam());
  const at::Tensor normed =
      wide / (wide.square().mean(-1, /*keepdim=*/true) + 1e-5).sqrt() * norm.to(at::kDouble);
  const at::Tensor expected_decoded = feed_forward(normed) + wide;
  mlp.AddNormedDecodeForward(norm, 1e-5f, decoded);
  ExpectClose(decoded, expected_decoded);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, ModulesTest, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) {
                           return info.param == at::kFloat ? "Float32" : "Bfloat16";
                         });

}  // namespace
}  // namespace windowkv
