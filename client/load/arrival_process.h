#ifndef WINDOWKV_CLIENT_LOAD_ARRIVAL_PROCESS_H_
#define WINDOWKV_CLIENT_LOAD_ARRIVAL_PROCESS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/seeded_random.h"

namespace windowkv::client {

// When the requests of an open loop are sent: the first at once, each next one after a gap with
// mean 1 / rate. A value; not thread-safe.
class ArrivalProcess {
 public:
  enum class Gaps {
    kConstant,
    // Gamma distributed with shape `burstiness`: exponential, which is a Poisson process, with 1;
    // below 1 requests come in bursts, above it more evenly.
    kGamma,
  };
  struct Config {
    // Requests per second, (0, 100000].
    double rate = 1;
    Gaps gaps = Gaps::kGamma;
    // [0.01, 1000]; of kGamma alone.
    double burstiness = 1;
    uint64_t seed = 0;
  };

  // INVALID_ARGUMENT: the rate or the burstiness is out of its range.
  static absl::StatusOr<ArrivalProcess> Create(const Config& config);

  // The next request's time since the first one's; never falls.
  absl::Duration Next();

 private:
  explicit ArrivalProcess(const Config& config) : config_(config), random_(config.seed) {}
  double GapSeconds();

  Config config_;
  SeededRandom random_;
  absl::Duration next_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_ARRIVAL_PROCESS_H_
