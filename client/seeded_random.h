#ifndef WINDOWKV_CLIENT_SEEDED_RANDOM_H_
#define WINDOWKV_CLIENT_SEEDED_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace windowkv::client {

// Random choices that are the same for a seed on every platform: the standard defines what the
// engine gives but not what its distributions make of it, so the mapping is done here. Not
// thread-safe.
class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  // For item `index` of a series, whatever was drawn for the others. Far steps: neighbouring seeds
  // would make the items of seed 1 those of seed 0, moved by one.
  static SeededRandom ForItem(uint64_t seed, uint64_t index) {
    return SeededRandom(seed + index * 0x9E3779B97F4A7C15);
  }

  // In [0, bound); `bound` is above 0, and so far below 2^64 that the remainder is as good as even.
  size_t Below(size_t bound) { return engine_() % bound; }
  // Evenly in [0, 1).
  double Share() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  // True with this probability.
  bool Chance(double probability) { return Share() < probability; }
  template <size_t kSize>
  const char* Pick(const char* const (&words)[kSize]) {
    return words[Below(kSize)];
  }
  template <typename T>
  void Shuffle(std::vector<T>* values) {
    for (size_t i = values->size(); i > 1; --i) std::swap((*values)[i - 1], (*values)[Below(i)]);
  }

  // For the distributions of <random>, where one standard library's values will do.
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_SEEDED_RANDOM_H_
