#include "client/load/length_distribution.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace windowkv::client {
namespace {

constexpr double kMaxSigma = 5;
constexpr double kMaxWeight = 1e9;

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
  Uniform uniform{};
  absl::Status status = ParseTokens("MIN of uniform:MIN-MAX", ends[0], &uniform.min);
  status.Update(ParseTokens("MAX of uniform:MIN-MAX", ends[1], &uniform.max));
  if (!status.ok()) return status;
  if (uniform.max < uniform.min) {
    return Wrong("MAX of uniform:MIN-MAX", ends[1], absl::StrCat("at least MIN, ", uniform.min));
  }
  return LengthDistribution(uniform);
}

absl::StatusOr<LengthDistribution> LengthDistribution::ParseLognormal(
    const std::string& parameters) {
  const std::vector<std::string> parts = absl::StrSplit(parameters, ':');
  if (parts.size() != 3) {
    return Wrong("the length", "lognormal:" + parameters, "lognormal:MEAN:SIGMA:CAP");
  }
  Lognormal lognormal{};
  absl::Status status =
      ParseUpTo(kMaxTokens, "MEAN of lognormal:MEAN:SIGMA:CAP", parts[0], &lognormal.mean);
  status.Update(
      ParseUpTo(kMaxSigma, "SIGMA of lognormal:MEAN:SIGMA:CAP", parts[1], &lognormal.sigma));
  status.Update(ParseTokens("CAP of lognormal:MEAN:SIGMA:CAP", parts[2], &lognormal.cap));
  if (!status.ok()) return status;
  return LengthDistribution(lognormal);
}

absl::StatusOr<LengthDistribution> LengthDistribution::ParseMixture(const std::string& parts) {
  Mixture mixture;
  const std::vector<std::string> entries = absl::StrSplit(parts, ',');
  for (const std::string& entry : entries) {
    const std::vector<std::string> pair = absl::StrSplit(entry, ':');
    if (pair.size() != (entries.size() == 1 ? 1 : 2)) return Wrong("the length", parts, kForms);
    Weighted weighted{.tokens = 0, .weight = 1};
    absl::Status status = ParseTokens("TOKENS", pair[0], &weighted.tokens);
    if (pair.size() == 2) {
      status.Update(ParseUpTo(kMaxWeight, "WEIGHT of TOKENS:WEIGHT", pair[1], &weighted.weight));
    }
    if (!status.ok()) return status;
    mixture.push_back(weighted);
  }
  return LengthDistribution(std::move(mixture));
}

int LengthDistribution::Draw(SeededRandom* random) const {
  return std::visit([random](const auto& shape) { return DrawFrom(shape, random); }, shape_);
}

int LengthDistribution::max() const {
  if (const auto* uniform = std::get_if<Uniform>(&shape_)) return uniform->max;
  if (const auto* lognormal = std::get_if<Lognormal>(&shape_)) return lognormal->cap;
  int most = 0;
  for (const Weighted& weighted : std::get<Mixture>(shape_)) most = std::max(most, weighted.tokens);
  return most;
}

int LengthDistribution::DrawFrom(const Mixture& mixture, SeededRandom* random) {
  double sum = 0;
  for (const Weighted& weighted : mixture) sum += weighted.weight;
  double left = random->Share() * sum;
  for (const Weighted& weighted : mixture) {
    if (left < weighted.weight) return weighted.tokens;
    left -= weighted.weight;
  }
  return mixture.back().tokens;  // rounding
}

int LengthDistribution::DrawFrom(const Uniform& uniform, SeededRandom* random) {
  const auto width = static_cast<size_t>(uniform.max - uniform.min) + 1;
  return uniform.min + static_cast<int>(random->Below(width));
}

int LengthDistribution::DrawFrom(const Lognormal& lognormal, SeededRandom* random) {
  // The mean of a lognormal distribution is exp(mu + sigma^2 / 2).
  const double mu = std::log(lognormal.mean) - lognormal.sigma * lognormal.sigma / 2;
  std::lognormal_distribution<double> distribution(mu, lognormal.sigma);
  const double tokens = std::round(distribution(random->engine()));
  return static_cast<int>(std::clamp(tokens, 1.0, static_cast<double>(lognormal.cap)));
}

}  // namespace windowkv::client
