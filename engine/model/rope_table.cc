#include "engine/model/rope_table.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace windowkv {
namespace {

// Llama 3.1's stretching: long wavelengths are divided by the factor, short ones stay, a band
// between is blended.
double Llama3Frequency(double frequency, const RopeConfig& config) {
  const double original = static_cast<double>(config.original_max_position_embeddings);
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < original / config.high_freq_factor) return frequency;
  if (wavelength > original / config.low_freq_factor) return frequency / config.factor;
  const double smooth = (original / wavelength - config.low_freq_factor) /
                        (config.high_freq_factor - config.low_freq_factor);
  return (1 - smooth) * frequency / config.factor + smooth * frequency;
}

std::vector<float> Frequencies(const RopeConfig& config, int64_t head_dim) {
  std::vector<float> frequencies(head_dim / 2);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    double frequency = 1.0 / std::pow(config.theta, exponent);
    if (config.scaling == RopeConfig::Scaling::kLinear) frequency /= config.factor;
    if (config.scaling == RopeConfig::Scaling::kLlama3) {
      frequency = Llama3Frequency(frequency, config);
    }
    frequencies[i] = static_cast<float>(frequency);
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
