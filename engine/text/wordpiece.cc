#include "engine/text/wordpiece.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"
#include "engine/text/latin_script.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

// As in the reference: longer words are unknown.
constexpr size_t kMaxCharactersPerWord = 100;

// How much of a long text is read at once from either end.
constexpr size_t kChunkBytes = 4096;
// A part without a place to cut at is one long word, maybe with a mark before it. Longer ones are
// not read through.
constexpr size_t kLongWordBytes = 4 * kChunkBytes;

bool IsCharacterBegin(char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }

// White space is no part of any piece.
bool IsSkipped(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

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
    unfamiliar_.push_back(HasForeignLetter(line));
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
  unfamiliar_[static_cast<size_t>(unk_id_)] = true;
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
  for (const Piece& piece : EncodePart(text, 0, text.size(), special)) ids.push_back(piece.id);
  return ids;
}

std::vector<WordPiece::Piece> WordPiece::EncodePart(std::string_view text, size_t begin, size_t end,
                                                    SpecialTokens special) const {
  std::vector<Piece> pieces;
  const std::string_view part = text.substr(begin, end - begin);
  for (const AddedTokenFinder::Segment& segment : special_.Cut(part, special)) {
    const auto at = static_cast<size_t>(segment.text.data() - text.data());
    if (segment.id) {
      pieces.push_back({*segment.id, at, at + segment.text.size()});
      continue;
    }
    const BertText words = words_.Cut(segment.text);
    size_t word_begin = 0;
    for (const size_t word_end : words.ends) {
      const std::string_view word(words.bytes.data() + word_begin, word_end - word_begin);
      const size_t first = pieces.size();
      EncodeWord(word, &pieces);
      for (size_t i = first; i < pieces.size(); ++i) {
        const size_t last = words.places[word_begin + pieces[i].end - 1];
        pieces[i].begin = at + words.places[word_begin + pieces[i].begin];
        pieces[i].end = at + last + DecodeUtf8(segment.text.substr(last)).length;
      }
      word_begin = word_end;
    }
  }
  return pieces;
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

void WordPiece::EncodeWord(std::string_view word, std::vector<Piece>* pieces) const {
  const size_t first = pieces->size();
  bool known = CountUtf8Characters(word) <= kMaxCharactersPerWord;
  for (size_t at = 0; known && at < word.size();) {
    size_t length = 0;
    const std::optional<int32_t> piece = LongestPiece(word.substr(at), at > 0, &length);
    known = piece.has_value();
    if (known) pieces->push_back({*piece, at, at + length});
    at += length;
  }
  if (known) return;
  pieces->resize(first);
  pieces->push_back({unk_id_, 0, word.size()});
}

WordPiece::Excerpt WordPiece::EncodeEnds(std::string_view text, int32_t max_pieces, int32_t head,
                                         int32_t tail, SpecialTokens special) const {
  const auto limit = static_cast<size_t>(std::max(max_pieces, 0));
  const auto head_size = static_cast<size_t>(std::max(head, 0));
  const auto tail_size = static_cast<size_t>(std::max(tail, 0));
  std::vector<Piece> pieces = FirstPieces(text, limit + 1, special);
  Excerpt excerpt;
  excerpt.head_end = excerpt.tail_begin = text.size();
  if (pieces.size() > limit) {
    excerpt.truncated = true;
    pieces.resize(head_size);
    excerpt.head_end = pieces.empty() ? 0 : pieces.back().end;
    std::vector<Piece> ending = LastPieces(text, tail_size, special);
    // A character taken apart may have pieces on both sides.
    if (!ending.empty()) excerpt.tail_begin = std::max(excerpt.head_end, ending.front().begin);
    pieces.insert(pieces.end(), ending.begin(), ending.end());
  }
  excerpt.ids.reserve(pieces.size());
  for (const Piece& piece : pieces) excerpt.ids.push_back(piece.id);
  return excerpt;
}

// The first `count` pieces or somewhat more, or all of them.
std::vector<WordPiece::Piece> WordPiece::FirstPieces(std::string_view text, size_t count,
                                                     SpecialTokens special) const {
  std::vector<Piece> pieces;
  for (size_t at = 0; at < text.size() && pieces.size() < count;) {
    if (IsSkipped(text[at])) {
      ++at;
      continue;
    }
    size_t end = words_.NextBoundary(text, std::min(at + kChunkBytes, text.size()));
    if (end - at > kLongWordBytes) {
      // What stands before the long word is read first.
      const size_t before = words_.PreviousBoundary(text, at + kChunkBytes);
      if (before > at) end = before;
    }
    const std::vector<Piece> chunk = EncodeChunk(text, at, end, special);
    pieces.insert(pieces.end(), chunk.begin(), chunk.end());
    at = end;
  }
  return pieces;
}

// The last `count` pieces, or all of them.
std::vector<WordPiece::Piece> WordPiece::LastPieces(std::string_view text, size_t count,
                                                    SpecialTokens special) const {
  std::vector<Piece> pieces;
  for (size_t end = text.size(); end > 0 && pieces.size() < count;) {
    if (IsSkipped(text[end - 1])) {
      --end;
      continue;
    }
    size_t begin = words_.PreviousBoundary(text, end - std::min(end, kChunkBytes));
    if (end - begin > kLongWordBytes) {
      // What stands after the long word is read first.
      const size_t after = words_.NextBoundary(text, end - kChunkBytes);
      if (after < end) begin = after;
    }
    const std::vector<Piece> chunk = EncodeChunk(text, begin, end, special);
    pieces.insert(pieces.begin(), chunk.begin(), chunk.end());
    end = begin;
  }
  if (pieces.size() > count)
    pieces.erase(pieces.begin(), pieces.end() - static_cast<int64_t>(count));
  return pieces;
}

std::vector<WordPiece::Piece> WordPiece::EncodeChunk(std::string_view text, size_t begin,
                                                     size_t end, SpecialTokens special) const {
  if (end - begin <= kLongWordBytes) return EncodePart(text, begin, end, special);
  const auto character_from = [&](size_t at) {
    while (at < end && !IsCharacterBegin(text[at])) ++at;
    return at;
  };
  // A word that is too long after a few bytes is unknown whatever follows: only where it ends
  // matters.
  const std::string_view beginning =
      text.substr(begin, character_from(begin + kChunkBytes) - begin);
  const BertText words = words_.Cut(beginning);
  const size_t last_word = words.ends.size() < 2 ? 0 : words.ends[words.ends.size() - 2];
  const std::vector<Piece> ending =
      EncodePart(text, character_from(end - kChunkBytes), end, special);
  if (ending.empty() || CountUtf8Characters(std::string_view(words.bytes).substr(last_word)) <=
                            kMaxCharactersPerWord) {
    return EncodePart(text, begin, end, special);
  }
  std::vector<Piece> pieces = EncodePart(text, begin, begin + beginning.size(), special);
  pieces.back().end = ending.back().end;
  return pieces;
}

}  // namespace windowkv
