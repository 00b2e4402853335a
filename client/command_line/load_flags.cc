#include "client/command_line/load_flags.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/field_flag.h"

namespace windowkv::client {
namespace {

constexpr char kGroup[] = "Load";

CLI::Option* AddDuration(CLI::App* app, const std::string& flag, const std::string& help,
                         std::function<void(absl::Duration)> set) {
  return app
      ->add_option_function<std::string>(
          flag,
          [set = std::move(set)](const std::string& text) {
            absl::Duration duration;
            absl::ParseDuration(text, &duration);  // CheckDuration has read it before
            set(duration);
          },
          help)
      ->check(CheckDuration)
      ->type_name("DURATION");
}

CLI::Option* AddLengths(CLI::App* app, const std::string& flag, const std::string& help,
                        std::string* lengths) {
  return app->add_option(flag, *lengths, help)
      ->type_name("LENGTHS")
      ->check([](const std::string& text) {
        const absl::Status status = LengthDistribution::Parse(text).status();
        return status.ok() ? std::string() : std::string(status.message());
      })
      ->capture_default_str();
}

void AddArrivalFlags(CLI::App* app, LoadFlags* flags) {
  auto* concurrency =
      app->add_option("--concurrency", flags->concurrency,
                      "Closed loop: requests in flight, the next sent when one ends; [1, 10000]")
          ->type_name("INT")
          ->check(CLI::Range(1, 10000))
          ->capture_default_str();
  flags->rate_option =
      app->add_option("--rate", flags->arrivals.rate,
                      "Open loop: requests per second, (0, 100000], each sent when it is due, "
                      "whatever has become of those before; default: closed loop")
          ->type_name("FLOAT")
          ->excludes(concurrency);
  CheckNumber<double>(flags->rate_option);
  app->add_option("--arrivals", flags->gaps, "Gaps between the requests of --rate")
      ->type_name("NAME")
      ->transform(CLI::IsMember({"poisson", "constant"}, CLI::ignore_case))
      ->capture_default_str()
      ->needs(flags->rate_option);
  flags->burstiness_option =
      app->add_option("--burstiness", flags->arrivals.burstiness,
                      "Shape of the gamma distribution of poisson's gaps: 1 is a Poisson process, "
                      "less comes in bursts, more is more even; [0.01, 1000]")
          ->type_name("FLOAT")
          ->capture_default_str()
          ->needs(flags->rate_option);
  CheckNumber<double>(flags->burstiness_option);
}

void AddEndFlags(CLI::App* app, LoadFlags* flags) {
  flags->requests_option =
      app->add_option("--requests", flags->requests,
                      absl::StrCat("Send no more than these; [1, 100000000], default ",
                                   flags->requests, ", with --duration no limit"))
          ->type_name("INT")
          ->check(CLI::Range(int64_t{1}, int64_t{100000000}));
  flags->duration_option = AddDuration(
      app, "--duration",
      "Send none after this time, and follow what is in flight to its end; default: no limit",
      [=](absl::Duration duration) { flags->duration = duration; });
  CheckNumber<uint64_t>(
      app->add_option("--seed", flags->seed,
                      "The same seed gives the same arrivals, lengths, prompts, cancellations and, "
                      "from the same server, texts")
          ->type_name("UINT64")
          ->capture_default_str());
}

void AddLengthFlags(CLI::App* app, LoadFlags* flags) {
  AddLengths(app, "--prompt-tokens",
             "Length of generated prompts, each another text, to about 5 %, chat template "
             "included; unless the prompt is given",
             &flags->prompt_tokens);
  AddLengths(app, "--output-tokens",
             "Tokens to generate, exactly: end-of-text tokens are ignored; --max-tokens instead "
             "leaves the end to the model",
             &flags->output_tokens);
  app->footer(absl::StrCat("LENGTHS: ", LengthDistribution::kForms, "\nwith tokens in [1, ",
                           LengthDistribution::kMaxTokens,
                           "], MEAN before the cut at CAP, SIGMA of the logarithm in (0, 5], "
                           "weights above 0."));
}

void AddCancelFlags(CLI::App* app, LoadFlags* flags) {
  app->add_option("--cancel-share", flags->cancel_share,
                  "Share of the requests to cancel on the way; [0, 1]")
      ->type_name("FLOAT")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  flags->cancel_within = absl::Seconds(2);
  AddDuration(app, "--cancel-within",
              "When to cancel them: a time drawn evenly from up to this after sending",
              [=](absl::Duration within) { flags->cancel_within = within; })
      ->default_str("2s");
}

void AddLimitFlags(CLI::App* app, LoadFlags* flags) {
  AddDuration(app, "--ttft-limit",
              "Report goodput: requests whose time to first token is at most this; default: no "
              "limit",
              [=](absl::Duration limit) { flags->limits.time_to_first_token = limit; });
  AddDuration(app, "--itl-limit",
              "Report goodput: requests whose mean inter-token latency is at most this; default: "
              "no limit",
              [=](absl::Duration limit) { flags->limits.between_tokens = limit; });
}

}  // namespace

std::optional<ArrivalProcess::Config> LoadFlags::Arrivals() const {
  if (rate_option->count() == 0) return std::nullopt;
  ArrivalProcess::Config config = arrivals;
  config.seed = seed;
  if (gaps == "constant") config.gaps = ArrivalProcess::Gaps::kConstant;
  return config;
}

// Both texts have passed the check of their flag.
std::optional<LengthDistribution> LoadFlags::OutputTokens() const {
  if (max_tokens_option->count() > 0) return std::nullopt;
  return *LengthDistribution::Parse(output_tokens);
}

LengthDistribution LoadFlags::PromptTokens() const {
  return *LengthDistribution::Parse(prompt_tokens);
}

absl::StatusOr<LoadPlan> LoadFlags::Plan(absl::Duration timeout) const {
  LoadPlan plan{
      .concurrency = concurrency, .duration = duration, .timeout = timeout, .limits = limits};
  if (requests_option->count() > 0 || duration_option->count() == 0) plan.requests = requests;
  const std::optional<ArrivalProcess::Config> config = Arrivals();
  if (!config) return plan;
  if (config->gaps == ArrivalProcess::Gaps::kConstant && burstiness_option->count() > 0) {
    return absl::InvalidArgumentError("--burstiness is for --arrivals poisson only");
  }
  absl::StatusOr<ArrivalProcess> process = ArrivalProcess::Create(*config);
  if (!process.ok()) return process.status();
  plan.arrivals = *std::move(process);
  return plan;
}

void AddLoadFlags(CLI::App* app, LoadFlags* flags) {
  app->option_defaults()->group(kGroup);
  AddArrivalFlags(app, flags);
  AddEndFlags(app, flags);
  AddLengthFlags(app, flags);
  AddCancelFlags(app, flags);
  AddLimitFlags(app, flags);
  AddSharedRequestFlags(app, &flags->request);
  for (const char* given : {"--prompt", "--prompt-file", "--token-ids"}) {
    app->get_option("--prompt-tokens")->excludes(app->get_option(given));
  }
  flags->max_tokens_option = app->get_option("--max-tokens");
  app->get_option("--output-tokens")->excludes(flags->max_tokens_option);
}

}  // namespace windowkv::client
