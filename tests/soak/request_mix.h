#ifndef WINDOWKV_TESTS_SOAK_REQUEST_MIX_H_
#define WINDOWKV_TESTS_SOAK_REQUEST_MIX_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv::testing {

// How a client treats one of its requests.
struct Behaviour {
  bool malformed = false;                      // expects INVALID_ARGUMENT
  std::optional<absl::Duration> cancel_after;  // from sending it
  std::optional<absl::Duration> deadline;
  absl::Duration pause_between_messages;  // of a slow reader
};

// A fixed set of greedy requests of every policy, some short and some long, and random behaviour
// for each time one is sent: 30 % are cancelled, 5 % are malformed, 10 % have short deadlines, 5 %
// read slowly. The same seed gives the same.
class RequestMix {
 public:
  explicit RequestMix(uint64_t seed);

  const std::vector<v1::GenerateRequest>& requests() const { return requests_; }

  // One of them by index, and what becomes of it. `random` is the caller's own.
  size_t PickRequest(std::mt19937_64& random) const { return random() % requests_.size(); }
  static Behaviour PickBehaviour(std::mt19937_64& random);
  // Breaks the request in one of several ways.
  static void Spoil(std::mt19937_64& random, v1::GenerateRequest* request);

 private:
  std::vector<v1::GenerateRequest> requests_;
};

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SOAK_REQUEST_MIX_H_
