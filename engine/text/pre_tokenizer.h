#ifndef WINDOWKV_ENGINE_TEXT_PRE_TOKENIZER_H_
#define WINDOWKV_ENGINE_TEXT_PRE_TOKENIZER_H_

#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/text/split_pattern.h"

namespace windowkv {

// The "pre_tokenizer" of a tokenizer.json: cuts a text into the words that the model then merges
// within. Constant after creation; thread-safe.
class PreTokenizer {
 public:
  // Knows Split, ByteLevel, Digits, Metaspace and Sequence; null leaves a text whole.
  // UNIMPLEMENTED: another type. INVALID_ARGUMENT: a malformed one.
  static absl::StatusOr<PreTokenizer> Create(const JsonNode& section);

  // Whether the model's vocabulary spells bytes (byte_level.h) instead of characters.
  bool byte_level() const { return byte_level_; }

  // Appends the words of `text` to `words`; words whose text was changed live in `storage`. Bytes
  // that are not UTF-8 become words of one byte each. `at_start`: nothing precedes `text`.
  void Cut(std::string_view text, bool at_start, std::vector<std::string_view>* words,
           std::deque<std::string>* storage) const;

 private:
  enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  struct Split {
    SplitPattern pattern;
    Behavior behavior;
    bool invert;
  };
  // A space before a word that begins with none.
  struct SpacePrefix {};
  // Spaces become `replacement`, which may also come first.
  struct Metaspace {
    enum class Prepend { kAlways, kFirst, kNever };
    std::string replacement;
    Prepend prepend;
  };
  using Step = std::variant<Split, SpacePrefix, Metaspace>;
  using Words = std::vector<std::string_view>;

  absl::Status Add(const JsonNode& section, int depth);
  absl::Status AddSplit(const JsonNode& section);
  absl::Status AddByteLevel(const JsonNode& section);
  absl::Status AddDigits(const JsonNode& section);
  absl::Status AddMetaspace(const JsonNode& section);

  static void Apply(const Split& split, std::string_view text, Words* words);
  static std::string Changed(const Metaspace& metaspace, std::string_view text, bool at_start);

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_PRE_TOKENIZER_H_
