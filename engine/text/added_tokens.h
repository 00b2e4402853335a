#ifndef WINDOWKV_ENGINE_TEXT_ADDED_TOKENS_H_
#define WINDOWKV_ENGINE_TEXT_ADDED_TOKENS_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/text/tokenizer.h"

namespace windowkv {

// One entry of "added_tokens" in a tokenizer.json. A value.
struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool special = false;      // gives no text, and can be read as plain text
  bool normalized = false;   // looked for after normalization
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
};

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const JsonNode& section);

// Finds added tokens in a text: the leftmost first, of those that begin together the longest. Takes
// time proportional to the text times the longest token. Constant after the last Add; thread-safe.
class AddedTokenFinder {
 public:
  // A stretch of text, or a token when `id` is set.
  struct Segment {
    std::string_view text;
    std::optional<int32_t> id;
  };

  // `token.content` is looked for as written.
  void Add(const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  // The whole text in order; no segment of text is empty.
  std::vector<Segment> Cut(std::string_view text, SpecialTokens special) const;

 private:
  struct Match {
    const AddedToken* token = nullptr;
    size_t begin = 0;
    size_t end = 0;
  };

  std::optional<Match> FindFrom(std::string_view text, size_t from) const;
  const AddedToken* LongestAt(std::string_view text) const;

  std::vector<AddedToken> tokens_;
  // A trie of the contents' bytes. Node 0 is the root; ends_[node] is the token that ends there.
  absl::flat_hash_map<uint64_t, size_t> edges_;  // node * 256 + byte to node
  std::vector<std::optional<size_t>> ends_ = {std::nullopt};
  std::bitset<256> first_bytes_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_ADDED_TOKENS_H_
