#include "client/load/arrival_process.h"

#include <random>

#include "absl/strings/str_cat.h"

namespace windowkv::client {
namespace {

constexpr double kMaxRate = 100000;
constexpr double kMinBurstiness = 0.01;
constexpr double kMaxBurstiness = 1000;

}  // namespace

// Written so that not-a-number is refused as well.
absl::StatusOr<ArrivalProcess> ArrivalProcess::Create(const Config& config) {
  if (!(config.rate > 0 && config.rate <= kMaxRate)) {
    return absl::InvalidArgumentError(absl::StrCat("the rate is ", config.rate, ", must be in (0, ",
                                                   kMaxRate, "] requests per second"));
  }
  if (!(config.burstiness >= kMinBurstiness && config.burstiness <= kMaxBurstiness)) {
    return absl::InvalidArgumentError(absl::StrCat("the burstiness is ", config.burstiness,
                                                   ", must be in [", kMinBurstiness, ", ",
                                                   kMaxBurstiness, "]"));
  }
  return ArrivalProcess(config);
}

absl::Duration ArrivalProcess::Next() {
  const absl::Duration now = next_;
  next_ += absl::Seconds(GapSeconds());
  return now;
}

double ArrivalProcess::GapSeconds() {
  if (config_.gaps == Gaps::kConstant) return 1 / config_.rate;
  // The mean of a gamma distribution is shape times scale.
  std::gamma_distribution<double> gap(config_.burstiness, 1 / (config_.rate * config_.burstiness));
  return gap(random_.engine());
}

}  // namespace windowkv::client
