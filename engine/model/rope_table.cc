#include "engine/model/rope_table.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pow.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace windowkv {
namespace {

// Llama 3.1's stretching: long wavelengths are divided by the factor, short ones stay, a band
// between is blended.
float Llama3Frequency(float frequency, const RopeConfig& config) {
  const float factor = static_cast<float>(config.factor);
  const float low = static_cast<float>(config.low_freq_factor);
  const float high = static_cast<float>(config.high_freq_factor);
  const float original = static_cast<float>(config.original_max_position_embeddings);
  const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  const float smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * frequency / factor + smooth * frequency;
}

std::vector<float> Frequencies(const RopeConfig& config, int64_t head_dim) {
  // The very operations of transformers, on LibTorch's pow: one unit in the last place of a
  // frequency turns into a visible angle thousands of tokens later.
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::TensorOptions().dtype(at::kFloat)).div(head_dim);
  const at::Tensor inverse = at::pow(config.theta, exponents).reciprocal();
  const float* values = inverse.const_data_ptr<float>();
  std::vector<float> frequencies(values, values + head_dim / 2);
  for (float& frequency : frequencies) {
    if (config.scaling == RopeConfig::Scaling::kLinear) {
      frequency /= static_cast<float>(config.factor);
    }
    if (config.scaling == RopeConfig::Scaling::kLlama3) {
      frequency = Llama3Frequency(frequency, config);
    }
  }
  return frequencies;
}

}  // namespace

at::Tensor MakeRopeTable(const RopeConfig& config, int64_t head_dim, int64_t context_length) {
  const std::vector<float> frequencies = Frequencies(config, head_dim);
  at::Tensor table = at::empty({context_length, head_dim}, at::TensorOptions().dtype(at::kFloat));
  float* row = table.mutable_data_ptr<float>();
  const int64_t half = head_dim / 2;
  for (int64_t position = 0; position < context_length; ++position, row += head_dim) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * frequencies[i];
      row[i] = std::cos(angle);
      row[half + i] = std::sin(angle);
    }
  }
  return table;
}

}  // namespace windowkv
