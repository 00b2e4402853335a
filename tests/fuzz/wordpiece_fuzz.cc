#include <algorithm>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/text/wordpiece.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"

namespace windowkv {
namespace {

// More than the reader of long texts takes at once.
constexpr size_t kLongText = 5000;

absl::Status CheckIds(const WordPiece& pieces, const std::vector<int32_t>& ids,
                      SpecialTokens special) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= pieces.vocab_size()) return Broken("an id is of the vocabulary");
    if (special == SpecialTokens::kAsText && (id == pieces.cls_id() || id == pieces.sep_id())) {
      return Broken("plain text forges no border");
    }
  }
  return absl::OkStatus();
}

// Reading only a text's ends gives what reading all of it gives.
absl::Status CheckEnds(const WordPiece& pieces, std::string_view text,
                       const std::vector<int32_t>& all, int32_t head, int32_t tail,
                       SpecialTokens special) {
  const auto count = static_cast<int32_t>(all.size());
  const WordPiece::Excerpt excerpt = pieces.EncodeEnds(text, head + tail, head, tail, special);
  if (excerpt.truncated != (count > head + tail)) return Broken("what is cut is said to be");
  if (excerpt.head_end > excerpt.tail_begin || excerpt.tail_begin > text.size()) {
    return Broken("what was read are two parts of the text");
  }
  std::vector<int32_t> expected = all;
  if (excerpt.truncated) {
    expected.resize(static_cast<size_t>(head));
    expected.insert(expected.end(), all.end() - tail, all.end());
  }
  if (excerpt.ids != expected) return Broken("an excerpt is the ends of the whole");
  return absl::OkStatus();
}

}  // namespace

// Three bytes, then a text for the classifier's vocabulary. The lowest bit of the first byte says
// whether special tokens are read, the rest, when it is 7, that the text is made long; the others
// are the pieces at either end.
absl::Status FuzzWordPiece(std::string_view input) {
  static const auto pieces = WordPiece::Load(SourceFile("deploy/models/task_classifier"));
  WINDOWKV_RETURN_IF_ERROR(pieces.status());
  FuzzInput bytes(input);
  const uint8_t choice = bytes.Byte();
  const auto special = (choice & 1) != 0 ? SpecialTokens::kParse : SpecialTokens::kAsText;
  const int32_t head = bytes.Byte();
  const int32_t tail = bytes.Byte();
  std::string text(bytes.Rest());
  if (choice >> 1 == 7 && !text.empty()) {
    while (text.size() < kLongText) text += bytes.Rest();
  }
  const std::vector<int32_t> ids = (*pieces)->Encode(text, special);
  WINDOWKV_RETURN_IF_ERROR(CheckIds(**pieces, ids, special));
  return CheckEnds(**pieces, text, ids, head, tail, special);
}

}  // namespace windowkv
