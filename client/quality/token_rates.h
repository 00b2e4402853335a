#ifndef WINDOWKV_CLIENT_QUALITY_TOKEN_RATES_H_
#define WINDOWKV_CLIENT_QUALITY_TOKEN_RATES_H_

#include "absl/status/statusor.h"
#include "client/client.h"

namespace windowkv::client {

// How many tokens text comes to. Made-up names take more of them per character than plain words do.
struct TokenRates {
  // Per character of each kind of text that documents hold.
  double small_talk = 0;
  double facts = 0;
  double examples = 0;
  // Of the chat template around a user turn.
  double around_turn = 0;
};

// Measured on a sample of each kind through the server's Tokenize call, so that documents come out
// as long as asked for whatever the model's vocabulary. Errors are the call's, FAILED_PRECONDITION
// where the model has no chat template; INTERNAL: the server
// finds no tokens in the sample.
absl::StatusOr<TokenRates> MeasureTokenRates(Client& client, const CallOptions& options);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_TOKEN_RATES_H_
