#ifndef WINDOWKV_CLIENT_LOAD_LENGTH_DISTRIBUTION_H_
#define WINDOWKV_CLIENT_LOAD_LENGTH_DISTRIBUTION_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "client/seeded_random.h"

namespace windowkv::client {

// Lengths in tokens, drawn at random. A value; immutable and thread-safe.
class LengthDistribution {
 public:
  static constexpr int kMaxTokens = 1 << 20;
  // What Parse reads, for help texts.
  static constexpr char kForms[] =
      "TOKENS, uniform:MIN-MAX, lognormal:MEAN:SIGMA:CAP or TOKENS:WEIGHT,TOKENS:WEIGHT,...";

  // Reads one of
  //   2000                      this length
  //   uniform:100-4000          evenly between the two, both included
  //   lognormal:2000:0.8:8000   mean before the cap, standard deviation of the logarithm, cap: what
  //                             is drawn above it is cut to it
  //   2000:0.9,8000:0.1         one of these, by weight; weights need not sum to 1
  // INVALID_ARGUMENT: names the part that is wrong and what it must be.
  static absl::StatusOr<LengthDistribution> Parse(const std::string& text);

  // At least 1 and at most max().
  int Draw(SeededRandom* random) const { return draw_(random); }
  int max() const { return max_; }

 private:
  using DrawFunction = std::function<int(SeededRandom*)>;

  LengthDistribution(int max, DrawFunction draw) : max_(max), draw_(std::move(draw)) {}

  static absl::StatusOr<LengthDistribution> ParseUniform(const std::string& range);
  static absl::StatusOr<LengthDistribution> ParseLognormal(const std::string& parameters);
  static absl::StatusOr<LengthDistribution> ParseMixture(const std::string& parts);

  int max_;
  DrawFunction draw_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_LENGTH_DISTRIBUTION_H_
