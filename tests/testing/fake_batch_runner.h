#ifndef WINDOWKV_TESTS_TESTING_FAKE_BATCH_RUNNER_H_
#define WINDOWKV_TESTS_TESTING_FAKE_BATCH_RUNNER_H_

#include <ATen/ops/full.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/kernels/sample_rows.h"
#include "engine/runtime/batch_runner.h"

namespace windowkv::testing {

// A model whose every token follows from the prompt and its own place, so that a test can say what
// a request must generate whatever happens to it on the way. It checks that what it is fed is what
// it gave. Blocks are taken as the real model takes them.
class FakeBatchRunner final : public BatchRunner {
 public:
  struct Options {
    KvCacheManager::Geometry geometry = {
        .num_layers = 2, .block_size = 8, .block_bytes = 64, .num_blocks = 64};
    int32_t vocab_size = 50;
    int32_t slice_tokens = 16;
    // Called on the engine thread before a step's work; what they return is what the work comes to.
    std::function<absl::Status(const PrefillWork&)> on_prefill;
    std::function<absl::Status(const std::vector<Sequence*>&)> on_decode;
    // Whether the device has failed for good; unset: never.
    std::function<bool()> has_failed;
    // Requests whose logits are no numbers from their second token on.
    std::set<std::string> not_a_number;
    // Tokens follow from the one before and its place, whatever it is, in place of what TokenAfter
    // says: for samplers that do not take the highest logit.
    bool follows_what_it_is_fed = false;
    // As if steps were computed after Decode has returned.
    bool computes_ahead = false;
  };

  explicit FakeBatchRunner(Options options) : options_(std::move(options)) {}

  // The `index`th token of what follows `prompt`.
  static int32_t TokenAfter(const std::vector<int32_t>& prompt, size_t index, int32_t vocab_size) {
    const int64_t sum = std::accumulate(prompt.begin(), prompt.end(), int64_t{0});
    return static_cast<int32_t>((sum + 7 * static_cast<int64_t>(index)) % vocab_size);
  }

  void PrepareThread() override {}
  std::vector<int64_t> SliceCosts(const CachePlan& plan) const override {
    const int32_t slices = (plan.prompt_tokens - 1) / options_.slice_tokens + 1;
    return std::vector<int64_t>(static_cast<size_t>(slices), 100);
  }
  const KvCacheManager::Geometry& cache_geometry() const override { return options_.geometry; }

  absl::StatusOr<std::optional<at::Tensor>> Prefill(const PrefillWork& work) override {
    if (options_.on_prefill) {
      if (absl::Status status = options_.on_prefill(work); !status.ok()) return status;
    }
    Sequence& sequence = *work.sequence;
    if (sequence.slices_done + work.num_slices < sequence.slice_costs.size()) return std::nullopt;
    const auto tokens = static_cast<int32_t>(sequence.prompt.size());
    for (size_t group = 0; group < sequence.cache->groups().size(); ++group) {
      sequence.cache->SetKept(static_cast<int32_t>(group), {{{{0, tokens}}}});
    }
    Grow(sequence, tokens);
    sequence.cache->Commit();
    at::Tensor logits = Logits(1);
    Fill(logits, 0, sequence, sequence.prompt.back(), 0);
    return std::optional(logits);
  }

  absl::StatusOr<at::Tensor> Decode(const std::vector<Sequence*>& batch,
                                    const UnreadTokens& unread) override {
    // Logits are gone with the next step.
    if (last_.defined()) last_.fill_(std::numeric_limits<float>::quiet_NaN());
    if (options_.on_decode) {
      if (absl::Status status = options_.on_decode(batch); !status.ok()) return status;
    }
    at::Tensor logits = Logits(static_cast<int64_t>(batch.size()));
    for (size_t row = 0; row < batch.size(); ++row) {
      Sequence& sequence = *batch[row];
      const bool is_unread = unread.row(row) != kKnownToken;
      if (is_unread != sequence.next_token_unread()) {
        return absl::InternalError("a token is neither known nor on its way, or both");
      }
      const int32_t fed =
          is_unread ? unread.ids.const_data_ptr<int32_t>()[unread.row(row)] : sequence.next_token();
      const int32_t expected = TokenAfter(sequence.prompt, sequence.decoded, options_.vocab_size);
      // An unread one may turn out to be none.
      if (fed != expected && !options_.follows_what_it_is_fed && fed != kNoToken) {
        return absl::InternalError(absl::StrCat("was fed ", fed, " in place of ", expected));
      }
      Grow(sequence, 1);
      sequence.cache->Commit();
      const auto at = static_cast<int64_t>(row);
      Fill(logits, at, sequence, fed, sequence.decoded + 1);
      if (options_.not_a_number.contains(sequence.request_id)) {
        logits[at].fill_(std::numeric_limits<float>::quiet_NaN());
      }
    }
    last_ = logits;
    return logits;
  }

  bool computes_ahead() const override { return options_.computes_ahead; }
  int64_t device_memory_bytes() const override { return 0; }
  bool HasFailed() override { return options_.has_failed && options_.has_failed(); }
  void Forget(const Sequence* sequence) override {}

 private:
  static void Grow(Sequence& sequence, int32_t tokens) {
    for (int32_t layer = 0; layer < sequence.cache->num_layers(); ++layer) {
      sequence.cache->Grow(layer, tokens);
    }
  }
  at::Tensor Logits(int64_t rows) const {
    return at::full({rows, options_.vocab_size}, -1.0, at::TensorOptions().dtype(at::kFloat));
  }
  // The logits of the sequence's `index`th token.
  void Fill(at::Tensor& logits, int64_t row, const Sequence& sequence, int32_t fed,
            size_t index) const {
    float* of_row = logits.mutable_data_ptr<float>() + row * options_.vocab_size;
    if (!options_.follows_what_it_is_fed) {
      of_row[TokenAfter(sequence.prompt, index, options_.vocab_size)] = 1;
      return;
    }
    std::minstd_rand random(static_cast<unsigned>(1 + fed + 1000 * static_cast<int32_t>(index)));
    for (int32_t i = 0; i < options_.vocab_size; ++i) {
      of_row[i] = static_cast<float>(random() % 1000) * 0.005f;
    }
  }

  const Options options_;
  at::Tensor last_;  // logits of the last step
};

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_FAKE_BATCH_RUNNER_H_
