#ifndef WINDOWKV_ENGINE_TEXT_BPE_MODEL_H_
#define WINDOWKV_ENGINE_TEXT_BPE_MODEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/text/vocabulary.h"

namespace windowkv {

// The "model" of a tokenizer.json of type BPE: merges the characters (or bytes) of a word pairwise,
// the pair that was learnt first before the others, leftmost first. n log n time in a word's
// length. Constant after creation; thread-safe.
class BpeModel {
 public:
  // A word's symbols while they merge; kept between calls to save allocations. One per thread.
  class Scratch {
    friend class BpeModel;
    struct Symbol {
      int32_t id;  // -1: merged into the one before
      int32_t previous;
      int32_t next;  // -1: none
    };
    struct Candidate {
      uint32_t rank;
      int32_t left;  // index of the left symbol
      int32_t left_id;
      int32_t right_id;
      int32_t merged_id;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  // `byte_level`: the vocabulary spells bytes. INVALID_ARGUMENT: malformed, a merge of or into a
  // token that the vocabulary lacks, a byte without a token. UNIMPLEMENTED: another type, dropout,
  // prefixes or suffixes.
  static absl::StatusOr<BpeModel> Create(const JsonNode& section, const Vocabulary& vocabulary,
                                         bool byte_level);

  // Appends the ids of one word, which is not empty. `vocabulary` as given to Create, or more.
  void EncodeWord(std::string_view word, const Vocabulary& vocabulary, Scratch* scratch,
                  std::vector<int32_t>* ids) const;

  // Called once, when the vocabulary is complete: no word gives these tokens (per id), though they
  // may be spelled like a word or a character, or come out of a merge. Those of bytes and of
  // unknown characters stay.
  void NeverFromText(const std::vector<bool>& tokens);

 private:
  struct Merge {
    uint32_t rank = 0;
    int32_t merged_id = 0;
  };

  static uint64_t Key(int32_t left, int32_t right) {
    return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
  }

  absl::Status ReadOptions(const JsonNode& section, const Vocabulary& vocabulary);
  absl::Status ReadMerges(const JsonNode& section, const Vocabulary& vocabulary);
  absl::Status ReadByteIds(const JsonNode& section, const Vocabulary& vocabulary);

  // The token with this spelling, if a word may give it.
  std::optional<int32_t> FindInText(std::string_view spelling, const Vocabulary& vocabulary) const;
  void SplitIntoSymbols(std::string_view word, const Vocabulary& vocabulary,
                        Scratch* scratch) const;
  void AppendUnknown(Scratch* scratch, bool* after_unknown) const;
  void MergeAll(Scratch* scratch) const;
  void Consider(Scratch* scratch, int32_t left) const;

  bool byte_level_ = false;
  bool ignore_merges_ = false;
  bool fuse_unknown_ = false;
  std::optional<int32_t> unknown_id_;
  // The token of each byte, of a byte-level vocabulary or for byte fallback.
  std::array<int32_t, 256> byte_ids_{};
  bool has_byte_ids_ = false;
  absl::flat_hash_map<uint64_t, Merge> merges_;
  std::vector<bool> never_;  // per id
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_BPE_MODEL_H_
