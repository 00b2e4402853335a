#ifndef WINDOWKV_CLIENT_QUALITY_DOCUMENT_GENERATOR_H_
#define WINDOWKV_CLIENT_QUALITY_DOCUMENT_GENERATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/quality/family.h"
#include "client/quality/token_rates.h"

namespace windowkv::client {

// A long text with one question about it.
struct Document {
  Family family = Family::kKeeper;
  std::string text;
  std::string question;
  std::string answer;
  // The one sentence that settles the question; empty for families that gather.
  std::string evidence;

  // What a user says: the document, a blank line, the question.
  std::string UserTurn() const { return text + "\n\n" + question; }
};

// Makes documents of small talk with facts strewn in, in the language that the demo model was
// trained on. A value; immutable and thread-safe.
class DocumentGenerator {
 public:
  struct Config {
    uint64_t seed = 0;
    // Length of a user turn with the chat template around it.
    int tokens = 0;
    // Document i is of family i modulo their number.
    std::vector<Family> families = {};
    TokenRates rates = {};
  };

  // INVALID_ARGUMENT: fewer than kMinTokens tokens, no family, or a rate that is not above 0.
  static absl::StatusOr<DocumentGenerator> Create(Config config);

  // Below this a document has no room for more than its question.
  static constexpr int kMinTokens = 128;

  // Document `index`: the same for the same configuration, whatever was made before. No sentence
  // but the evidence names its subject, and none but it holds the answer unless that is a word of
  // small talk.
  Document Make(int index) const;

 private:
  explicit DocumentGenerator(Config config) : config_(std::move(config)) {}

  Config config_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_DOCUMENT_GENERATOR_H_
