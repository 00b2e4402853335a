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
    // Bytes of the text: the last character of which the head has a piece ends at `head_end`, the
    // first one of which the tail has a piece begins at `tail_begin`. Where nothing is missing both
    // are the text's size.
    size_t head_end = 0;
    size_t tail_begin = 0;
  };
  // All pieces when there are at most `max_pieces`, else the first `head` and the last `tail`,
  // which are at least 0 and together at most `max_pieces`. Reads no more of a long text than it
  // needs.
  Excerpt EncodeEnds(std::string_view text, int32_t max_pieces, int32_t head, int32_t tail,
                     SpecialTokens special = SpecialTokens::kAsText) const;

  int32_t cls_id() const { return cls_id_; }
  int32_t sep_id() const { return sep_id_; }
  int32_t unk_id() const { return unk_id_; }
  // Whether the piece says nothing to a model of a language in Latin letters: [UNK], or one with a
  // letter of another script. `id` is in [0, vocab_size).
  bool IsUnfamiliar(int32_t id) const { return unfamiliar_[static_cast<size_t>(id)]; }
  // One more than the largest id.
  int32_t vocab_size() const { return vocab_size_; }
  bool lower_cases() const { return words_.lower_cases(); }

 private:
  WordPiece() : words_({}) {}

  absl::Status ReadVocabulary(const std::string& path);
  absl::Status ReadConfig(const std::string& path);
  bool HasCapitalLetter() const;

  // A piece, and the part of the text it came from, in bytes.
  struct Piece {
    int32_t id = 0;
    size_t begin = 0;
    size_t end = 0;
  };
  // The pieces of a part of a text that begins at `begin` and ends at `end`.
  std::vector<Piece> EncodePart(std::string_view text, size_t begin, size_t end,
                                SpecialTokens special) const;
  // The same, quick for a long word. There is no place to cut at between `begin` and `end` if they
  // are far apart.
  std::vector<Piece> EncodeChunk(std::string_view text, size_t begin, size_t end,
                                 SpecialTokens special) const;
  std::vector<Piece> FirstPieces(std::string_view text, size_t count, SpecialTokens special) const;
  std::vector<Piece> LastPieces(std::string_view text, size_t count, SpecialTokens special) const;
  // Appends a word's pieces; their places are those in the word.
  void EncodeWord(std::string_view word, std::vector<Piece>* pieces) const;
  std::optional<int32_t> LongestPiece(std::string_view text, bool continues, size_t* length) const;

  // Pieces that begin a word, and pieces that continue one (without their "##").
  absl::flat_hash_map<std::string, int32_t> beginnings_;
  absl::flat_hash_map<std::string, int32_t> continuations_;
  std::vector<bool> unfamiliar_;  // by id
  size_t longest_piece_ = 0;      // in bytes
  int32_t vocab_size_ = 0;
  int32_t cls_id_ = 0;
  int32_t sep_id_ = 0;
  int32_t unk_id_ = 0;
  AddedTokenFinder special_;
  BertWords words_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_WORDPIECE_H_
