#include "client/load/length_distribution.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace windowkv::client {
namespace {

constexpr double kMaxSigma = 5;
constexpr double kMaxWeight = 1e9;

struct Weighted {
  int tokens = 0;
  double weight = 1;
};

int DrawByWeight(const std::vector<Weighted>& mixture, SeededRandom* random) {
  double sum = 0;
  for (const Weighted& weighted : mixture) sum += weighted.weight;
  double left = random->Share() * sum;
  for (const Weighted& weighted : mixture) {
    if (left < weighted.weight) return weighted.tokens;
    left -= weighted.weight;
  }
  return mixture.back().tokens;  // rounding
}

absl::Status Wrong(const std::string& part, const std::string& text, const std::string& must) {
  return absl::InvalidArgumentError(absl::StrCat(part, " is \"", text, "\", must be ", must));
}

absl::Status ParseTokens(const std::string& part, const std::string& text, int* tokens) {
  if (absl::SimpleAtoi(text, tokens) && *tokens >= 1 && *tokens <= LengthDistribution::kMaxTokens) {
    return absl::OkStatus();
  }
  return Wrong(part, text,
               absl::StrCat("a whole number in [1, ", LengthDistribution::kMaxTokens, "]"));
}

// Not-a-number fails every comparison.
absl::Status ParseUpTo(double most, const std::string& part, const std::string& text,
                       double* value) {
  if (absl::SimpleAtod(text, value) && *value > 0 && *value <= most) return absl::OkStatus();
  return Wrong(part, text, absl::StrCat("a number in (0, ", most, "]"));
}

bool ConsumePrefix(const std::string& prefix, const std::string& text, std::string* rest) {
  absl::string_view view = text;
  if (!absl::ConsumePrefix(&view, prefix)) return false;
  *rest = std::string(view);
  return true;
}

}  // namespace

absl::StatusOr<LengthDistribution> LengthDistribution::Parse(const std::string& text) {
  std::string rest;
  if (ConsumePrefix("uniform:", text, &rest)) return ParseUniform(rest);
  if (ConsumePrefix("lognormal:", text, &rest)) return ParseLognormal(rest);
  if (text.find_first_of("0123456789") == 0) return ParseMixture(text);
  return Wrong("the length", text, kForms);
}

absl::StatusOr<LengthDistribution> LengthDistribution::ParseUniform(const std::string& range) {
  const std::vector<std::string> ends = absl::StrSplit(range, '-');
  if (ends.size() != 2) return Wrong("the length", "uniform:" + range, "uniform:MIN-MAX");
  int min = 0;
  int max = 0;
  absl::Status status = ParseTokens("MIN of uniform:MIN-MAX", ends[0], &min);
  status.Update(ParseTokens("MAX of uniform:MIN-MAX", ends[1], &max));
  if (!status.ok()) return status;
  if (max < min) {
    return Wrong("MAX of uniform:MIN-MAX", ends[1], absl::StrCat("at least MIN, ", min));
  }
  const auto width = static_cast<size_t>(max - min) + 1;
  return LengthDistribution(max, [min, width](SeededRandom* random) {
    return min + static_cast<int>(random->Below(width));
  });
}

absl::StatusOr<LengthDistribution> LengthDistribution::ParseLognormal(
    const std::string& parameters) {
  const std::vector<std::string> parts = absl::StrSplit(parameters, ':');
  if (parts.size() != 3) {
    return Wrong("the length", "lognormal:" + parameters, "lognormal:MEAN:SIGMA:CAP");
  }
  double mean = 0;
  double sigma = 0;
  int cap = 0;
  absl::Status status = ParseUpTo(kMaxTokens, "MEAN of lognormal:MEAN:SIGMA:CAP", parts[0], &mean);
  status.Update(ParseUpTo(kMaxSigma, "SIGMA of lognormal:MEAN:SIGMA:CAP", parts[1], &sigma));
  status.Update(ParseTokens("CAP of lognormal:MEAN:SIGMA:CAP", parts[2], &cap));
  if (!status.ok()) return status;
  // The mean of a lognormal distribution is exp(mu + sigma^2 / 2).
  const double mu = std::log(mean) - sigma * sigma / 2;
  return LengthDistribution(cap, [mu, sigma, cap](SeededRandom* random) {
    std::lognormal_distribution<double> distribution(mu, sigma);
    const double tokens = std::round(distribution(random->engine()));
    return static_cast<int>(std::clamp(tokens, 1.0, static_cast<double>(cap)));
  });
}

absl::StatusOr<LengthDistribution> LengthDistribution::ParseMixture(const std::string& parts) {
  std::vector<Weighted> mixture;
  int max = 0;
  const std::vector<std::string> entries = absl::StrSplit(parts, ',');
  for (const std::string& entry : entries) {
    const std::vector<std::string> pair = absl::StrSplit(entry, ':');
    if (pair.size() != (entries.size() == 1 ? 1 : 2)) return Wrong("the length", parts, kForms);
    Weighted weighted;
    absl::Status status = ParseTokens("TOKENS", pair[0], &weighted.tokens);
    if (pair.size() == 2) {
      status.Update(ParseUpTo(kMaxWeight, "WEIGHT of TOKENS:WEIGHT", pair[1], &weighted.weight));
    }
    if (!status.ok()) return status;
    max = std::max(max, weighted.tokens);
    mixture.push_back(weighted);
  }
  return LengthDistribution(max, [mixture = std::move(mixture)](SeededRandom* random) {
    return DrawByWeight(mixture, random);
  });
}

}  // namespace windowkv::client
