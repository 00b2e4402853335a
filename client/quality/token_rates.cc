#include "client/quality/token_rates.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/quality/sentence_writer.h"

namespace windowkv::client {
namespace {

constexpr int kSampleSentences = 500;

std::string WriteSample(const char* separator, const std::function<std::string()>& write) {
  std::string sample = write();
  for (int i = 1; i < kSampleSentences; ++i) absl::StrAppend(&sample, separator, write());
  return sample;
}

v1::TokenizeRequest AsText(const std::string& sample) {
  v1::TokenizeRequest request;
  request.set_text(sample);
  return request;
}

v1::TokenizeRequest AsUserTurn(const std::string& sample) {
  v1::TokenizeRequest request;
  v1::ChatMessage* message = request.mutable_chat()->add_messages();
  message->set_role("user");
  message->set_content(sample);
  return request;
}

// Tokenizes through one client.
class TokenCounter {
 public:
  TokenCounter(Client* client, const CallOptions& options) : client_(*client), options_(options) {}

  absl::StatusOr<int> Count(const v1::TokenizeRequest& request) {
    auto response = client_.Tokenize(request, options_);
    if (!response.ok()) return response.status();
    if (response->token_ids().empty()) {
      return absl::InternalError("the server finds no tokens in a sample of the documents");
    }
    return response->token_ids_size();
  }

  absl::Status MeasureRate(const std::string& sample, double* rate) {
    const absl::StatusOr<int> tokens = Count(AsText(sample));
    if (!tokens.ok()) return tokens.status();
    *rate = *tokens / static_cast<double>(sample.size());
    return absl::OkStatus();
  }

 private:
  Client& client_;
  const CallOptions& options_;
};

}  // namespace

absl::StatusOr<TokenRates> MeasureTokenRates(Client& client, const CallOptions& options) {
  SeededRandom random(0);
  SentenceWriter writer(&random);
  const std::string small_talk = WriteSample(" ", [&] { return writer.SmallTalk(); });
  const std::string facts = WriteSample(" ", [&] { return writer.AnyFact().sentence; });
  const std::vector<std::string> rule = writer.LabelRule();
  const std::string examples = WriteSample("\n", [&] {
    const LabelledExample example = writer.Example(rule);
    return absl::StrCat(example.text, " Type: ", example.label);
  });
  TokenCounter counter(&client, options);
  TokenRates rates;
  absl::Status status = counter.MeasureRate(small_talk, &rates.small_talk);
  if (status.ok()) status = counter.MeasureRate(facts, &rates.facts);
  if (status.ok()) status = counter.MeasureRate(examples, &rates.examples);
  if (!status.ok()) return status;
  const absl::StatusOr<int> turn = counter.Count(AsUserTurn(small_talk));
  if (!turn.ok()) return turn.status();
  rates.around_turn = *turn - rates.small_talk * static_cast<double>(small_talk.size());
  return rates;
}

}  // namespace windowkv::client
