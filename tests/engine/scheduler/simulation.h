#ifndef WINDOWKV_TESTS_ENGINE_SCHEDULER_SIMULATION_H_
#define WINDOWKV_TESTS_ENGINE_SCHEDULER_SIMULATION_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/scheduler/scheduler.h"

namespace windowkv::testing {

// A request of a trace. Times in seconds since the trace's start.
struct TraceRequest {
  double arrival = 0;
  int32_t prompt_tokens = 0;
  int32_t output_tokens = 0;
  int32_t budget_tokens = 0;  // kept per layer; 0: all
  int32_t priority = 0;
};

// What became of it.
struct Outcome {
  TraceRequest request;
  double admitted = 0;
  double first_token = 0;
  double end = 0;
  double longest_gap = 0;   // between two of its tokens, see Machine::gaps_from
  double served_alone = 0;  // what it takes with the machine to itself
  int32_t preemptions = 0;

  double ttft() const { return first_token - request.arrival; }
  double duration() const { return end - request.arrival; }
};

// A machine whose steps take time by a formula, driven by the scheduler under test with a clock
// that jumps from step to step: thousands of requests in a moment, the same each time.
class Simulation {
 public:
  struct Machine {
    double seconds_per_token = 20e-6;        // of prompt, for its products
    double seconds_per_token_pair = 2.5e-9;  // for its attention
    double decode_seconds = 1e-3;            // of a step, however many sequences
    double decode_seconds_per_sequence = 50e-6;
    int32_t chunk_rows = 512;
    int32_t num_layers = 8;
    int32_t block_size = 16;
    int64_t num_blocks = 8192;
    // When Outcome::longest_gap is measured.
    double gaps_from = 0;
    double gaps_until = 1e9;
  };

  Simulation(const Machine& machine, const Scheduler::Config& config)
      : machine_(machine),
        config_(config),
        manager_({machine.num_layers, machine.block_size, 4096, machine.num_blocks}),
        scheduler_(config, &manager_) {}

  // Runs the trace, sorted by arrival, to its end.
  std::vector<Outcome> Run(const std::vector<TraceRequest>& trace) {
    size_t next = 0;
    while (next < trace.size() || !scheduler_.idle()) {
      if (scheduler_.idle()) now_ = std::max(now_, trace[next].arrival);
      while (next < trace.size() && trace[next].arrival <= now_) Arrive(trace[next], next), ++next;
      Step();
    }
    EXPECT_EQ(manager_.allocator().available(), machine_.num_blocks);
    return std::move(outcomes_);
  }

  double busy_seconds() const { return busy_seconds_; }
  double now() const { return now_; }
  int64_t steps() const { return steps_; }

  // The time of all work when nothing waits for anything: full decode batches, no idle moments.
  double LeastSeconds(const std::vector<TraceRequest>& trace) const {
    double seconds = 0;
    for (const TraceRequest& request : trace) {
      seconds += PrefillSeconds(request.prompt_tokens) +
                 request.output_tokens * (machine_.decode_seconds_per_sequence +
                                          machine_.decode_seconds / config_.max_running);
    }
    return seconds;
  }
  double PrefillSeconds(int32_t tokens) const {
    return tokens * machine_.seconds_per_token +
           0.5 * tokens * tokens * machine_.seconds_per_token_pair;
  }

 private:
  static constexpr double kCostPerSecond = 1e9;

  std::vector<int64_t> SliceCosts(int32_t tokens) const {
    std::vector<int64_t> costs;
    for (int32_t layer = 0; layer < machine_.num_layers; ++layer) {
      for (int32_t begin = 0; begin < tokens; begin += machine_.chunk_rows) {
        const int32_t end = std::min(tokens, begin + machine_.chunk_rows);
        const double seconds = PrefillSeconds(end) - PrefillSeconds(begin);
        costs.push_back(static_cast<int64_t>(seconds / machine_.num_layers * kCostPerSecond) + 1);
      }
    }
    return costs;
  }

  void Arrive(const TraceRequest& request, size_t index) {
    auto sequence = std::make_unique<Sequence>();
    sequence->request_id = std::to_string(index);
    sequence->stream = std::make_shared<TokenStream>();
    sequence->prompt.assign(static_cast<size_t>(request.prompt_tokens), 1);
    CacheConfig config;
    if (request.budget_tokens > 0 && request.budget_tokens < request.prompt_tokens) {
      config.policy = CachePolicy::kStreamingLlm;
      config.budget_tokens = request.budget_tokens;
    }
    sequence->plan = *manager_.Plan(config, request.prompt_tokens, request.output_tokens);
    sequence->slice_costs = SliceCosts(request.prompt_tokens);
    sequence->arrival = absl::Seconds(request.arrival);
    sequence->priority = request.priority;
    Outcome outcome;
    outcome.request = request;
    outcome.served_alone =
        PrefillSeconds(request.prompt_tokens) +
        request.output_tokens * (machine_.decode_seconds + machine_.decode_seconds_per_sequence);
    live_[sequence.get()] = outcome;
    scheduler_.Add(std::move(sequence));
  }

  void Step() {
    const Batch batch = scheduler_.Next(absl::Seconds(now_));
    ASSERT_FALSE(batch.empty()) << "work is left and nothing is done";
    CheckLimits();
    ++steps_;
    const double before = now_;
    for (Sequence* sequence : batch.admitted) {
      if (sequence->preemptions == 0) live_[sequence].admitted = now_;
    }
    if (!batch.decode.empty()) Decode(batch.decode);
    for (const PrefillWork& work : batch.prefill) Read(work);
    busy_seconds_ += now_ - before;
  }

  void CheckLimits() {
    ASSERT_LE(scheduler_.running(), config_.max_running);
    ASSERT_GE(manager_.allocator().available(), 0);
    int32_t reading = 0;
    scheduler_.ForEach([&](const Sequence& sequence) {
      if (sequence.cache && !sequence.prefill_done()) ++reading;
    });
    ASSERT_LE(reading, config_.max_reading);
  }

  void Decode(const std::vector<Sequence*>& batch) {
    const double took = machine_.decode_seconds +
                        machine_.decode_seconds_per_sequence * static_cast<double>(batch.size());
    now_ += took;
    scheduler_.costs().OnDecode(absl::Seconds(took));
    for (Sequence* sequence : batch) {
      ++sequence->decoded;
      if (!sequence->replaying()) Produce(sequence);
    }
  }

  void Read(const PrefillWork& work) {
    int64_t cost = 0;
    for (size_t i = 0; i < work.num_slices; ++i) {
      cost += work.sequence->slice_costs[work.sequence->slices_done++];
    }
    const double took = static_cast<double>(cost) / kCostPerSecond;
    now_ += took;
    scheduler_.costs().OnPrefill(cost, absl::Seconds(took));
    if (work.sequence->prefill_done() && !work.sequence->replaying()) Produce(work.sequence);
  }

  void Produce(Sequence* sequence) {
    Outcome& outcome = live_[sequence];
    sequence->output.push_back(1);
    if (sequence->output.size() == 1) {
      outcome.first_token = now_;
    } else if (const double last = absl::ToDoubleSeconds(sequence->last_token);
               last >= machine_.gaps_from && now_ <= machine_.gaps_until) {
      outcome.longest_gap = std::max(outcome.longest_gap, now_ - last);
    }
    sequence->last_token = absl::Seconds(now_);
    if (static_cast<int32_t>(sequence->output.size()) < outcome.request.output_tokens) return;
    outcome.end = now_;
    outcome.preemptions = sequence->preemptions;
    outcomes_.push_back(outcome);
    live_.erase(sequence);
    scheduler_.Remove(sequence);
  }

  const Machine machine_;
  const Scheduler::Config config_;
  KvCacheManager manager_;
  Scheduler scheduler_;
  double now_ = 0;
  double busy_seconds_ = 0;
  int64_t steps_ = 0;
  std::map<const Sequence*, Outcome> live_;
  std::vector<Outcome> outcomes_;
};

// Uniform in [0, 1), the same on every platform.
inline double Random01(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

inline double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(values.size())))];
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_SCHEDULER_SIMULATION_H_
