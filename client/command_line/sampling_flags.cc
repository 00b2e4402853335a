#include "client/command_line/sampling_flags.h"

#include "client/command_line/enum_names.h"
#include "client/command_line/field_flag.h"

namespace windowkv::client {
namespace {

constexpr char kGroup[] = "Sampling";

void AddSamplerFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddField<float>(app, "--temperature", "FLOAT",
                  "0 is greedy; [0, 100], default: the checkpoint's, else 0",
                  [=](float v) { request->mutable_sampling()->set_temperature(v); });
  AddField<int32_t>(app, "--top-k", "TOKENS",
                    "Sample among the k most likely tokens, 0 is off; [0, vocab_size], default 0",
                    [=](int32_t v) { request->mutable_sampling()->set_top_k(v); });
  AddField<float>(app, "--top-p", "FLOAT",
                  "Sample among the smallest set with this probability; (0, 1], default 1",
                  [=](float v) { request->mutable_sampling()->set_top_p(v); });
  AddField<float>(app, "--min-p", "FLOAT",
                  "Drop tokens below this share of the most likely one's; [0, 1], default 0",
                  [=](float v) { request->mutable_sampling()->set_min_p(v); });
  AddField<float>(app, "--repetition-penalty", "FLOAT",
                  "Scales down logits of tokens already seen; [0.001, 10], default 1",
                  [=](float v) { request->mutable_sampling()->set_repetition_penalty(v); });
  AddField<float>(app, "--presence-penalty", "FLOAT",
                  "Subtracted from logits of tokens in the output; [-10, 10], default 0",
                  [=](float v) { request->mutable_sampling()->set_presence_penalty(v); });
  AddField<float>(app, "--frequency-penalty", "FLOAT",
                  "Subtracted once per occurrence in the output; [-10, 10], default 0",
                  [=](float v) { request->mutable_sampling()->set_frequency_penalty(v); });
  AddRepeated<std::string>(app, "--logit-bias", "ID:BIAS",
                           "Added to one token's logit, [-100, 100]; repeatable, at most 300",
                           [=](const std::string& text) {
                             const auto pair = ParsePair<float>(text);
                             (*request->mutable_sampling()->mutable_logit_bias())[pair->first] =
                                 pair->second;
                           })
      ->check(PairCheck<float>("ID:BIAS, such as 1234:-2.5"));
}

void AddEndFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddField<int32_t>(app, "--max-tokens", "TOKENS",
                    "Most tokens to generate; [1, context length], default: the server's",
                    [=](int32_t v) { request->mutable_sampling()->set_max_tokens(v); });
  AddField<int32_t>(app, "--min-tokens", "TOKENS",
                    "No stop condition before this many; [0, max-tokens], default 0",
                    [=](int32_t v) { request->mutable_sampling()->set_min_tokens(v); });
  AddRepeated<std::string>(app, "--stop", "TEXT",
                           "End before this text, 1 to 256 bytes; repeatable, at most 16",
                           [=](const std::string& v) { request->mutable_sampling()->add_stop(v); });
  AddRepeated<int32_t>(app, "--stop-token-ids", "ID,ID,...",
                       "End at these tokens, each in [0, vocab_size); at most 16",
                       [=](int32_t v) { request->mutable_sampling()->add_stop_token_ids(v); })
      ->delimiter(',');
  app->add_flag_callback(
      "--ignore-eos", [=] { request->mutable_sampling()->set_ignore_eos(true); },
      "Do not end at the model's end-of-text tokens");
  AddField<int32_t>(app, "--logprobs", "TOKENS",
                    "Log-probabilities of this many likely tokens, with --json; [0, 20], default: "
                    "none",
                    [=](int32_t v) { request->mutable_sampling()->set_logprobs(v); });
}

}  // namespace

void AddSamplingFlags(CLI::App* app, v1::GenerateRequest* request) {
  app->option_defaults()->group(kGroup);
  AddSamplerFlags(app, request);
  AddEndFlags(app, request);
}

void AddSeedFlag(CLI::App* app, v1::GenerateRequest* request) {
  AddField<uint64_t>(app, "--seed", "UINT64", "The same seed gives the same text; default: random",
                     [=](uint64_t v) { request->mutable_sampling()->set_seed(v); })
      ->group(kGroup);
}

}  // namespace windowkv::client
