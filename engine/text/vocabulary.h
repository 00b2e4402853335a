#ifndef WINDOWKV_ENGINE_TEXT_VOCABULARY_H_
#define WINDOWKV_ENGINE_TEXT_VOCABULARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engine/json/json_node.h"

namespace windowkv {

// Token spellings and their ids, as a tokenizer.json writes them. Ids may have gaps. A value.
class Vocabulary {
 public:
  // Larger ids are taken for a damaged file; the memory used grows with the largest.
  static constexpr int32_t kMaxId = (1 << 24) - 1;

  // From "model.vocab", an object of spelling to id. INVALID_ARGUMENT: no such object, an id that
  // is none, two spellings with one id.
  static absl::StatusOr<Vocabulary> Create(const JsonNode& section);

  // INVALID_ARGUMENT: the spelling has another id already, or the id another spelling. The place is
  // the caller's to add.
  absl::Status Add(std::string_view spelling, int32_t id);

  std::optional<int32_t> Find(std::string_view spelling) const;
  // Empty for ids without a token.
  std::string_view Spelling(int32_t id) const;
  // One more than the largest id.
  int32_t size() const { return static_cast<int32_t>(spellings_.size()); }

 private:
  absl::flat_hash_map<std::string, int32_t> ids_;
  std::vector<std::string> spellings_;
  std::vector<bool> used_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_VOCABULARY_H_
