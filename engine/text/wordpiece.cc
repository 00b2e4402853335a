#include "engine/text/wordpiece.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/text/json_node.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

// As in the reference: longer words are unknown.
constexpr size_t kMaxCharactersPerWord = 100;

// How much of a long text is read at once from either end.
constexpr size_t kChunkBytes = 4096;

size_t CountCharacters(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

bool HasCapital(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    const auto code_point = static_cast<int32_t>(c.code_point);
    if (c.kind == Utf8Char::Kind::kValid && utf8proc_tolower(code_point) != code_point) return true;
    text.remove_prefix(c.length);
  }
  return false;
}

bool IsBracketed(std::string_view piece) { return piece.starts_with('[') && piece.ends_with(']'); }

}  // namespace

absl::StatusOr<std::unique_ptr<WordPiece>> WordPiece::Load(const std::string& dir) {
  auto word_piece = std::unique_ptr<WordPiece>(new WordPiece);
  WINDOWKV_RETURN_IF_ERROR(word_piece->ReadVocabulary(dir + "/vocab.txt"));
  WINDOWKV_RETURN_IF_ERROR(word_piece->ReadConfig(dir + "/tokenizer_config.json"));
  return word_piece;
}

absl::Status WordPiece::ReadVocabulary(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  for (std::string line; std::getline(file, line); ++vocab_size_) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const bool continues = line.size() > 2 && line.starts_with("##");
    if (continues) line.erase(0, 2);
    longest_piece_ = std::max(longest_piece_, line.size());
    // Of equal lines the last counts, as in the reference.
    (continues ? continuations_ : beginnings_).insert_or_assign(std::move(line), vocab_size_);
  }
  const auto find = [this](const std::string& token) {
    const auto found = beginnings_.find(token);
    return found == beginnings_.end() ? std::nullopt : std::optional<int32_t>(found->second);
  };
  for (const char* token : {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"}) {
    if (const std::optional<int32_t> id = find(token)) {
      special_.Add({.id = *id, .content = token, .special = true});
    }
  }
  const std::array<std::pair<const char*, int32_t*>, 3> needed = {
      {{"[UNK]", &unk_id_}, {"[CLS]", &cls_id_}, {"[SEP]", &sep_id_}}};
  for (const auto& [token, id] : needed) {
    const std::optional<int32_t> found = find(token);
    if (!found) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": expected a line ", token,
                                                     ", found none in ", vocab_size_, " lines"));
    }
    *id = *found;
  }
  return absl::OkStatus();
}

absl::Status WordPiece::ReadConfig(const std::string& path) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode config, JsonNode::ReadOptionalFile(path));
  BertWords::Options options;
  WINDOWKV_ASSIGN_OR_RETURN(options.lower_case,
                            config["do_lower_case"].BoolOr(!HasCapitalLetter()));
  WINDOWKV_ASSIGN_OR_RETURN(options.strip_accents,
                            config["strip_accents"].BoolOr(options.lower_case));
  WINDOWKV_ASSIGN_OR_RETURN(options.separate_cjk, config["tokenize_chinese_chars"].BoolOr(true));
  words_ = BertWords(options);
  return absl::OkStatus();
}

bool WordPiece::HasCapitalLetter() const {
  const auto has = [](const auto& entry) {
    return !IsBracketed(entry.first) && HasCapital(entry.first);
  };
  return std::any_of(beginnings_.begin(), beginnings_.end(), has) ||
         std::any_of(continuations_.begin(), continuations_.end(), has);
}

std::vector<int32_t> WordPiece::Encode(std::string_view text, SpecialTokens special) const {
  std::vector<int32_t> ids;
  for (const AddedTokenFinder::Segment& segment : special_.Cut(text, special)) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    for (const std::string& word : words_.Cut(segment.text)) EncodeWord(word, &ids);
  }
  return ids;
}

std::optional<int32_t> WordPiece::LongestPiece(std::string_view text, bool continues,
                                               size_t* length) const {
  const auto& pieces = continues ? continuations_ : beginnings_;
  for (size_t size = std::min(text.size(), longest_piece_); size > 0; --size) {
    const auto found = pieces.find(ToAbsl(text.substr(0, size)));
    if (found == pieces.end()) continue;
    *length = size;
    return found->second;
  }
  return std::nullopt;
}

void WordPiece::EncodeWord(std::string_view word, std::vector<int32_t>* ids) const {
  const size_t first = ids->size();
  bool known = CountCharacters(word) <= kMaxCharactersPerWord;
  for (size_t at = 0; known && at < word.size();) {
    size_t length = 0;
    const std::optional<int32_t> piece = LongestPiece(word.substr(at), at > 0, &length);
    known = piece.has_value();
    if (known) ids->push_back(*piece);
    at += length;
  }
  if (known) return;
  ids->resize(first);
  ids->push_back(unk_id_);
}

WordPiece::Excerpt WordPiece::EncodeEnds(std::string_view text, int32_t max_pieces, int32_t head,
                                         int32_t tail, SpecialTokens special) const {
  const auto limit = static_cast<size_t>(std::max(max_pieces, 0));
  const auto head_size = static_cast<size_t>(std::max(head, 0));
  const auto tail_size = static_cast<size_t>(std::max(tail, 0));
  Excerpt excerpt;
  std::vector<int32_t>& ids = excerpt.ids;
  for (size_t at = 0; at < text.size() && ids.size() <= limit;) {
    const size_t end = words_.NextBoundary(text, at + kChunkBytes);
    const std::vector<int32_t> chunk = Encode(text.substr(at, end - at), special);
    ids.insert(ids.end(), chunk.begin(), chunk.end());
    at = end;
  }
  if (ids.size() <= limit) return excerpt;

  excerpt.truncated = true;
  ids.resize(std::min(ids.size(), head_size));
  std::vector<int32_t> ending;
  for (size_t end = text.size(); end > 0 && ending.size() < tail_size;) {
    const size_t begin = words_.PreviousBoundary(text, end - std::min(end, kChunkBytes));
    const std::vector<int32_t> chunk = Encode(text.substr(begin, end - begin), special);
    ending.insert(ending.begin(), chunk.begin(), chunk.end());
    end = begin;
  }
  ids.insert(ids.end(), ending.end() - std::min(ending.size(), tail_size), ending.end());
  return excerpt;
}

}  // namespace windowkv
