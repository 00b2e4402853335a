#include "tests/engine/scheduler/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"

// The scheduler under load, replayed without a model or a clock.

namespace windowkv {
namespace {

using testing::Outcome;
using testing::Percentile;
using testing::Random01;
using testing::Simulation;
using testing::TraceRequest;

struct TraceOptions {
  int requests = 2000;
  double rate = 10;  // per second
  int burst = 1;     // requests that come together
  // Lognormal, as real prompts are.
  double median_prompt = 600;
  double sigma = 1.2;
  int32_t longest_prompt = 16000;
  int32_t budget = 256;
  double urgent_share = 0;  // of priority 1
};

std::vector<TraceRequest> MakeTrace(const TraceOptions& options, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TraceRequest> trace;
  double now = 0;
  while (static_cast<int>(trace.size()) < options.requests) {
    now += -std::log(1 - Random01(random)) * options.burst / options.rate;
    for (int i = 0; i < options.burst; ++i) {
      const double normal = std::sqrt(-2 * std::log(1 - Random01(random))) *
                            std::cos(2 * 3.14159265358979 * Random01(random));
      const double prompt = options.median_prompt * std::exp(options.sigma * normal);
      trace.push_back(
          {now, static_cast<int32_t>(std::clamp(prompt, 1.0, double(options.longest_prompt))),
           1 + static_cast<int32_t>(random() % 64), options.budget,
           Random01(random) < options.urgent_share ? 1 : 0});
    }
  }
  return trace;
}

// Requests a second that are served when they all come at once.
double Capacity(TraceOptions options, const Simulation::Machine& machine = {}) {
  options.rate = 1e6;
  Simulation simulation(machine, {});
  const std::vector<TraceRequest> trace = MakeTrace(options, 99);
  simulation.Run(trace);
  return static_cast<double>(trace.size()) / simulation.busy_seconds();
}

std::vector<double> Each(const std::vector<Outcome>& outcomes, double (*value)(const Outcome&)) {
  std::vector<double> values;
  for (const Outcome& outcome : outcomes) values.push_back(value(outcome));
  return values;
}

void Report(const std::string& name, const Simulation& simulation,
            const std::vector<TraceRequest>& trace, const std::vector<Outcome>& outcomes) {
  const auto ttft = Each(outcomes, [](const Outcome& o) { return o.ttft(); });
  const auto slowdown =
      Each(outcomes, [](const Outcome& o) { return o.duration() / o.served_alone; });
  std::cout << absl::StrFormat(
      "%-28s %d requests, %d steps; busy %.1f s against the oracle's %.1f (%.2f); time to first "
      "token p50 %.2f p99 %.2f s; slowdown p50 %.1f p99 %.1f\n",
      name, outcomes.size(), simulation.steps(), simulation.busy_seconds(),
      simulation.LeastSeconds(trace), simulation.LeastSeconds(trace) / simulation.busy_seconds(),
      Percentile(ttft, 0.5), Percentile(ttft, 0.99), Percentile(slowdown, 0.5),
      Percentile(slowdown, 0.99));
}

// A trace replayed to its end and reported.
std::vector<Outcome> Replay(const std::string& name, const std::vector<TraceRequest>& trace,
                            Simulation& simulation) {
  std::vector<Outcome> outcomes = simulation.Run(trace);
  Report(name, simulation, trace, outcomes);
  EXPECT_EQ(outcomes.size(), trace.size());
  return outcomes;
}

TEST(SimulationTest, AtEightTenthsOfCapacityEveryRequestIsServedSoon) {
  TraceOptions options;
  Simulation simulation({}, {});
  options.rate = 0.8 * Capacity(options);
  const auto outcomes = Replay("poisson, 0.8 of capacity", MakeTrace(options, 1), simulation);
  EXPECT_LT(Percentile(Each(outcomes, [](const Outcome& o) { return o.ttft(); }), 0.99),
            4 * simulation.PrefillSeconds(options.longest_prompt));
}

TEST(SimulationTest, UnderOverloadTheMachineDoesNearlyWhatTheOracleCould) {
  TraceOptions options;
  Simulation simulation({}, {});
  options.rate = 2 * Capacity(options);
  const auto trace = MakeTrace(options, 2);
  Replay("poisson, twice the capacity", trace, simulation);
  EXPECT_GE(simulation.LeastSeconds(trace) / simulation.busy_seconds(), 0.85);
}

TEST(SimulationTest, InBurstsNoRequestWaitsMuchLongerThanTheBacklogItFound) {
  TraceOptions options;
  options.burst = 100;
  Simulation simulation({}, {});
  options.rate = 0.7 * Capacity(options);
  const auto outcomes = Replay("bursts of 100", MakeTrace(options, 3), simulation);
  double longest_wait = 0;
  for (const Outcome& outcome : outcomes) {
    longest_wait = std::max(longest_wait, outcome.admitted - outcome.request.arrival);
  }
  // Two bursts' work.
  EXPECT_LT(longest_wait, 2.5 * options.burst / options.rate);
}

TEST(SimulationTest, HeavyTailedPromptsDoNotHoldUpShortOnes) {
  TraceOptions options;
  options.sigma = 2;
  Simulation simulation({}, {});
  options.rate = 0.8 * Capacity(options);
  const auto outcomes = Replay("heavy-tailed prompts", MakeTrace(options, 4), simulation);
  std::vector<double> ttft_of_short;
  double longest_slowdown_of_long = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.request.prompt_tokens <= 500) ttft_of_short.push_back(outcome.ttft());
    if (outcome.request.prompt_tokens >= 8000) {
      longest_slowdown_of_long =
          std::max(longest_slowdown_of_long,
                   outcome.ttft() / simulation.PrefillSeconds(outcome.request.prompt_tokens));
    }
  }
  // Less than a long prompt takes: they are passed. And no long one starves.
  EXPECT_LT(Percentile(ttft_of_short, 0.9), simulation.PrefillSeconds(16000) / 2);
  EXPECT_LT(longest_slowdown_of_long, 30);
}

TEST(SimulationTest, RunningStreamsKeepTheirPaceWhileLongPromptsAreRead) {
  Simulation::Machine machine;
  machine.num_blocks = 40000;
  // While all streams run.
  machine.gaps_from = 0.5;
  machine.gaps_until = 6;
  Simulation simulation(machine, {});
  std::vector<TraceRequest> trace;
  for (int i = 0; i < 16; ++i) trace.push_back({0, 64, 2000, 0, 0});
  for (int i = 0; i < 20; ++i) trace.push_back({0.5 + 0.3 * i, 8000, 8, 256, 0});
  const auto outcomes = simulation.Run(trace);
  const double decode = machine.decode_seconds + (16 + 8) * machine.decode_seconds_per_sequence;
  const double slice =
      (simulation.PrefillSeconds(8000) - simulation.PrefillSeconds(7488)) / machine.num_layers;
  for (const Outcome& outcome : outcomes) {
    if (outcome.request.output_tokens < 2000) continue;
    EXPECT_LE(outcome.longest_gap, 2 * decode + slice);
  }
}

TEST(SimulationTest, LowPrioritiesWaitLongerButNotForEver) {
  TraceOptions options;
  options.urgent_share = 0.6;
  Scheduler::Config config;
  config.ageing = absl::Seconds(5);
  Simulation simulation({}, config);
  options.rate = 1.5 * Capacity(options);
  const auto outcomes = Replay("priorities, overload", MakeTrace(options, 5), simulation);
  std::vector<double> urgent;
  std::vector<double> normal;
  for (const Outcome& outcome : outcomes) {
    (outcome.request.priority > 0 ? urgent : normal)
        .push_back(outcome.admitted - outcome.request.arrival);
  }
  EXPECT_LT(Percentile(urgent, 0.5) + 2, Percentile(normal, 0.5));
  // A level is worth five seconds: nobody waits much longer than that behind the whole backlog.
  EXPECT_LT(Percentile(normal, 1), Percentile(urgent, 1) + 7);
}

TEST(SimulationTest, PreemptionServesTheUrgentAndLosesNothing) {
  TraceOptions options;
  options.urgent_share = 0.1;
  options.budget = 0;  // full caches, so that memory is short
  options.requests = 1000;
  Simulation::Machine machine;
  machine.num_blocks = 12000;
  Scheduler::Config config;
  config.max_preemptions = 2;
  Simulation simulation(machine, config);
  Simulation without(machine, {});
  options.rate = 1.2 * Capacity(options, machine);
  const auto outcomes = Replay("preemption", MakeTrace(options, 6), simulation);
  const auto plain = Replay("without preemption", MakeTrace(options, 6), without);
  int preempted = 0;
  for (const Outcome& outcome : outcomes) {
    preempted += outcome.preemptions;
    EXPECT_LE(outcome.preemptions, config.max_preemptions);
    EXPECT_TRUE(outcome.request.priority == 0 || outcome.preemptions == 0);
  }
  EXPECT_GT(preempted, 0);
  const auto urgent_p99 = [](const std::vector<Outcome>& all) {
    std::vector<double> waits;
    for (const Outcome& outcome : all) {
      if (outcome.request.priority > 0) waits.push_back(outcome.ttft());
    }
    return Percentile(waits, 0.99);
  };
  EXPECT_LT(urgent_p99(outcomes), urgent_p99(plain));
}

TEST(SimulationTest, TheSameTraceGivesTheSameSchedule) {
  TraceOptions options;
  options.requests = 300;
  const auto trace = MakeTrace(options, 7);
  Simulation first({}, {});
  Simulation second({}, {});
  const auto a = first.Run(trace);
  const auto b = second.Run(trace);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].request.arrival, b[i].request.arrival);
    ASSERT_EQ(a[i].end, b[i].end);
  }
}

}  // namespace
}  // namespace windowkv
