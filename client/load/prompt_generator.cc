#include "client/load/prompt_generator.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "client/quality/sentence_writer.h"
#include "client/request_prompt.h"

namespace windowkv::client {
namespace {

constexpr double kFactShare = 0.3;
constexpr size_t kSampleBytes = 60000;

// ASCII, so that it may be cut anywhere.
std::string WriteBytes(size_t bytes, SeededRandom* random) {
  SentenceWriter writer(random);
  std::string text;
  while (text.size() < bytes) {
    if (!text.empty()) text += ' ';
    text += random->Chance(kFactShare) ? writer.AnyFact().sentence : writer.SmallTalk();
  }
  text.resize(bytes);
  return text;
}

absl::StatusOr<double> CountTokens(const v1::GenerateRequest& base, const std::string& text,
                                   Client& client, const CallOptions& options) {
  v1::GenerateRequest prompt = base;
  SetPrompt(text, &prompt);
  v1::TokenizeRequest request;
  if (prompt.has_chat()) {
    *request.mutable_chat() = std::move(*prompt.mutable_chat());
  } else {
    request.set_text(prompt.text());
  }
  auto response = client.Tokenize(request, options);
  if (!response.ok()) return response.status();
  return response->token_ids_size();
}

}  // namespace

absl::StatusOr<PromptGenerator> PromptGenerator::Measure(const v1::GenerateRequest& request,
                                                         Client& client,
                                                         const CallOptions& options) {
  SeededRandom random(0);
  const std::string sample = WriteBytes(kSampleBytes, &random);
  const auto first = CountTokens(request, sample.substr(0, 1), client, options);
  if (!first.ok()) return first.status();
  const auto all = CountTokens(request, sample, client, options);
  if (!all.ok()) return all.status();
  if (*all <= *first) {
    return absl::InternalError("the server finds no more tokens in a long text than in a letter");
  }
  const double rate = (*all - *first) / (kSampleBytes - 1);
  return PromptGenerator({.tokens_per_byte = rate, .around = *first - rate});
}

std::string PromptGenerator::Write(int tokens, SeededRandom* random) const {
  const double bytes = std::round((tokens - rate_.around) / rate_.tokens_per_byte);
  return WriteBytes(static_cast<size_t>(std::max(bytes, 1.0)), random);
}

}  // namespace windowkv::client
