#ifndef WINDOWKV_ENGINE_TEXT_WORDPIECE_H_
#define WINDOWKV_ENGINE_TEXT_WORDPIECE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engine/text/added_tokens.h"
#include "engine/text/bert_words.h"
#include "engine/text/tokenizer.h"

namespace windowkv {

// BERT's tokenizer: words as BertWords cuts them, each divided greedily into the longest pieces of
// the vocabulary, as transformers' BertTokenizer does it. The spellings of [UNK], [CLS], [SEP],
// [PAD] and [MASK] in a text are plain text unless asked for, so that a prompt can't forge a
// border. Bytes that are not UTF-8 are dropped. Constant after loading; thread-safe.
class WordPiece {
 public:
  // Reads DIR/vocab.txt (a piece per line, the line's number is its id) and, when there is one,
  // DIR/tokenizer_config.json (do_lower_case, strip_accents, tokenize_chinese_chars). Where
  // do_lower_case is not said, text is lower-cased unless a piece, [UNK] and its like aside, has a
  // capital letter: an uncased vocabulary has none.
  // NOT_FOUND: no vocab.txt. INVALID_ARGUMENT: [UNK], [CLS] or [SEP] is missing, or a malformed
  // configuration.
  static absl::StatusOr<std::unique_ptr<WordPiece>> Load(const std::string& dir);

  // All pieces of `text`, without [CLS] and [SEP].
  std::vector<int32_t> Encode(std::string_view text,
                              SpecialTokens special = SpecialTokens::kAsText) const;

  struct Excerpt {
    std::vector<int32_t> ids;
    bool truncated = false;  // pieces between head and tail are missing
  };
  // All pieces when there are at most `max_pieces`, else the first `head` and the last `tail`,
  // which are at least 0 and together at most `max_pieces`. Reads no more of a long text than it
  // needs.
  Excerpt EncodeEnds(std::string_view text, int32_t max_pieces, int32_t head, int32_t tail,
                     SpecialTokens special = SpecialTokens::kAsText) const;

  int32_t cls_id() const { return cls_id_; }
  int32_t sep_id() const { return sep_id_; }
  int32_t unk_id() const { return unk_id_; }
  // One more than the largest id.
  int32_t vocab_size() const { return vocab_size_; }
  bool lower_cases() const { return words_.lower_cases(); }

 private:
  WordPiece() : words_({}) {}

  absl::Status ReadVocabulary(const std::string& path);
  absl::Status ReadConfig(const std::string& path);
  bool HasCapitalLetter() const;

  void EncodeWord(std::string_view word, std::vector<int32_t>* ids) const;
  std::optional<int32_t> LongestPiece(std::string_view text, bool continues, size_t* length) const;

  // Pieces that begin a word, and pieces that continue one (without their "##").
  absl::flat_hash_map<std::string, int32_t> beginnings_;
  absl::flat_hash_map<std::string, int32_t> continuations_;
  size_t longest_piece_ = 0;  // in bytes
  int32_t vocab_size_ = 0;
  int32_t cls_id_ = 0;
  int32_t sep_id_ = 0;
  int32_t unk_id_ = 0;
  AddedTokenFinder special_;
  BertWords words_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_WORDPIECE_H_
