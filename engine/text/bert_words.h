#ifndef WINDOWKV_ENGINE_TEXT_BERT_WORDS_H_
#define WINDOWKV_ENGINE_TEXT_BERT_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/unicode_normalization.h"

namespace windowkv {

// A text's words, one after another. A value.
struct BertText {
  std::string bytes;
  std::vector<size_t> ends;      // of each word, in `bytes`
  std::vector<uint32_t> places;  // of each byte: where its character begins in the text
};

// Cuts text into words the way BERT's basic tokenizer does: control characters dropped, words
// separated at white space, punctuation marks and CJK ideographs words of their own, and, where
// asked for, accents and upper case removed. The source is transformers' BertTokenizer
// (BertNormalizer and BertPreTokenizer). A value, constant after construction; thread-safe.
class BertWords {
 public:
  struct Options {
    bool lower_case = true;
    bool strip_accents = true;
    bool separate_cjk = true;
  };

  explicit BertWords(Options options) : options_(options) {}

  // The words of `text`, none empty. Bytes that are not UTF-8 are dropped, like U+FFFD. The text
  // has less than 4 GiB.
  BertText Cut(std::string_view text) const;

  // The first place at or after `from` where `text` can be cut in two without changing its words,
  // given that no word has a ']' other than its last character; the text's size when there is none.
  size_t NextBoundary(std::string_view text, size_t from) const;
  // The last such place at or before `from`, or 0.
  size_t PreviousBoundary(std::string_view text, size_t from) const;

  bool lower_cases() const { return options_.lower_case; }

 private:
  std::vector<PlacedCodePoint> Cleaned(std::string_view text) const;
  bool IsBoundary(std::string_view text, size_t at) const;

  Options options_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_BERT_WORDS_H_
