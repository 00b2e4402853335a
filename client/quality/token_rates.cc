#include "client/quality/token_rates.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/quality/sentence_writer.h"

namespace windowkv::client {
namespace {

constexpr int kSampleSentences = 500;

absl::StatusOr<double> MeasureRate(Client& client, const CallOptions& options,
                                   const std::function<std::string()>& write) {
  v1::TokenizeRequest request;
  std::string* sample = request.mutable_text();
  for (int i = 0; i < kSampleSentences; ++i) absl::StrAppend(sample, i == 0 ? "" : " ", write());
  auto response = client.Tokenize(request, options);
  if (!response.ok()) return response.status();
  if (response->token_ids().empty()) {
    return absl::InternalError(
        absl::StrCat("the server finds no tokens in ", sample->size(), " characters of text"));
  }
  return response->token_ids_size() / static_cast<double>(sample->size());
}

}  // namespace

absl::StatusOr<TokenRates> MeasureTokenRates(Client& client, const CallOptions& options) {
  SeededRandom random(0);
  SentenceWriter writer(&random);
  const std::vector<std::string> rule = writer.LabelRule();
  auto small_talk = MeasureRate(client, options, [&] { return writer.SmallTalk(); });
  if (!small_talk.ok()) return small_talk.status();
  auto facts = MeasureRate(client, options, [&] { return writer.AnyFact().sentence; });
  if (!facts.ok()) return facts.status();
  auto examples = MeasureRate(client, options, [&] {
    const LabelledExample example = writer.Example(rule);
    return absl::StrCat(example.text, " Type: ", example.label);
  });
  if (!examples.ok()) return examples.status();
  return TokenRates{.small_talk = *small_talk, .facts = *facts, .examples = *examples};
}

}  // namespace windowkv::client
