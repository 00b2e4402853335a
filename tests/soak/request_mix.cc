#include "tests/soak/request_mix.h"

namespace windowkv::testing {
namespace {

constexpr v1::CachePolicy kPolicies[] = {v1::CACHE_POLICY_FULL,   v1::CACHE_POLICY_WINDOWKV,
                                         v1::CACHE_POLICY_SNAPKV, v1::CACHE_POLICY_PYRAMIDKV,
                                         v1::CACHE_POLICY_H2O,    v1::CACHE_POLICY_STREAMING_LLM};

}  // namespace

RequestMix::RequestMix(uint64_t seed) {
  std::mt19937_64 random(seed);
  for (const v1::CachePolicy policy : kPolicies) {
    for (const int tokens : {12, 150, 700, 2500}) {
      v1::GenerateRequest request;
      for (int i = 0; i < tokens; ++i) {
        request.mutable_token_ids()->add_ids(static_cast<int32_t>(10 + random() % 4000));
      }
      request.mutable_sampling()->set_temperature(0);
      request.mutable_sampling()->set_ignore_eos(true);
      request.mutable_sampling()->set_max_tokens(static_cast<int32_t>(1 + random() % 60));
      request.mutable_cache()->set_policy(policy);
      if (policy != v1::CACHE_POLICY_FULL) request.mutable_cache()->set_budget_tokens(128);
      request.set_priority(static_cast<int32_t>(random() % 3));
      requests_.push_back(request);
    }
  }
}

Behaviour RequestMix::PickBehaviour(std::mt19937_64& random) {
  Behaviour behaviour;
  const auto milliseconds = [&random](int most) {
    return absl::Milliseconds(static_cast<int64_t>(random() % static_cast<uint64_t>(most)));
  };
  const uint64_t draw = random() % 100;
  if (draw < 30) {
    behaviour.cancel_after = milliseconds(400);
  } else if (draw < 35) {
    behaviour.malformed = true;
  } else if (draw < 45) {
    behaviour.deadline = milliseconds(600);
  } else if (draw < 50) {
    behaviour.pause_between_messages = milliseconds(60);
  }
  return behaviour;
}

void RequestMix::Spoil(std::mt19937_64& random, v1::GenerateRequest* request) {
  switch (random() % 6) {
    case 0:
      request->clear_input();
      break;
    case 1:
      request->mutable_token_ids()->add_ids(-1);
      break;
    case 2:
      request->mutable_sampling()->set_temperature(-1);
      break;
    case 3:
      request->mutable_cache()->set_policy(v1::CACHE_POLICY_WINDOWKV);
      request->mutable_cache()->set_window_size(0);
      break;
    case 4:
      request->mutable_cache()->set_policy(v1::CACHE_POLICY_FULL);
      request->mutable_cache()->set_beta(3);
      break;
    default:
      request->set_priority(1000);
  }
}

}  // namespace windowkv::testing
