#include "client/load/load_requests.h"

#include "absl/strings/str_cat.h"
#include "client/request_prompt.h"
#include "client/seeded_random.h"

namespace windowkv::client {

LoadRequest LoadRequests::Make(int64_t index) const {
  SeededRandom random = SeededRandom::ForItem(config_.seed, static_cast<uint64_t>(index) + 1);
  LoadRequest load{.request = config_.request, .cancel_after = std::nullopt};
  v1::GenerateRequest& request = load.request;
  if (!request.request_id().empty()) {
    request.set_request_id(absl::StrCat(request.request_id(), "-", index));
  }
  request.mutable_sampling()->set_seed(random.engine()());
  if (random.Chance(config_.cancel_share)) {
    load.cancel_after = config_.cancel_within * random.Share();
  }
  if (config_.output_tokens) {
    request.mutable_sampling()->set_max_tokens(config_.output_tokens->Draw(&random));
    request.mutable_sampling()->set_ignore_eos(true);
  }
  if (config_.prompts) {
    const int tokens = config_.prompts->tokens.Draw(&random);
    SetPrompt(config_.prompts->generator.Write(tokens, &random), &request);
  }
  return load;
}

}  // namespace windowkv::client
