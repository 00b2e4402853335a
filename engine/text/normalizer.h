#ifndef WINDOWKV_ENGINE_TEXT_NORMALIZER_H_
#define WINDOWKV_ENGINE_TEXT_NORMALIZER_H_

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/text/unicode_normalization.h"

namespace windowkv {

// The "normalizer" of a tokenizer.json: what is done to a text before it is cut into words. A
// value, constant after creation; thread-safe.
class Normalizer {
 public:
  // Knows NFC, NFD, NFKC, NFKD, Prepend, Replace (of a string) and Sequence; null does nothing.
  // UNIMPLEMENTED: another type. INVALID_ARGUMENT: a malformed one.
  static absl::StatusOr<Normalizer> Create(const JsonNode& section);

  bool changes_nothing() const { return steps_.empty(); }

  // Bytes that are not UTF-8 stay as they are.
  std::string Apply(std::string_view text) const;

 private:
  struct Prepend {
    std::string prefix;
  };
  struct Replace {
    std::string pattern;  // not empty
    std::string content;
  };
  using Step = std::variant<NormalizationForm, Prepend, Replace>;

  absl::Status Add(const JsonNode& section, int depth);

  std::vector<Step> steps_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_NORMALIZER_H_
