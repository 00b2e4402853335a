#include "engine/text/added_tokens.h"

#include <utf8proc.h>

#include <utility>

#include "engine/base/status.h"
#include "engine/text/utf8.h"
#include "engine/text/vocabulary.h"
#include "engine/text/white_space.h"

namespace windowkv {
namespace {

bool IsWordCharacter(char32_t c) {
  if (c == 0x200C || c == 0x200D) return true;  // they join
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

bool BeginsWithWord(std::string_view text) {
  if (text.empty()) return false;
  const Utf8Char c = DecodeUtf8(text);
  return c.kind == Utf8Char::Kind::kValid && IsWordCharacter(c.code_point);
}

bool EndsWithWord(std::string_view text) {
  const std::optional<Utf8Char> c = DecodeLastUtf8(text);
  return c && IsWordCharacter(c->code_point);
}

absl::StatusOr<AddedToken> ReadAddedToken(const JsonNode& node) {
  AddedToken token;
  WINDOWKV_ASSIGN_OR_RETURN(const int64_t id, node["id"].Int({0, Vocabulary::kMaxId}));
  token.id = static_cast<int32_t>(id);
  WINDOWKV_ASSIGN_OR_RETURN(token.content, node["content"].String());
  if (token.content.empty()) return node["content"].Expected("a string that is not empty");
  WINDOWKV_ASSIGN_OR_RETURN(token.special, node["special"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(token.normalized, node["normalized"].BoolOr(!token.special));
  WINDOWKV_ASSIGN_OR_RETURN(token.single_word, node["single_word"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(token.lstrip, node["lstrip"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(token.rstrip, node["rstrip"].BoolOr(false));
  return token;
}

}  // namespace

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const JsonNode& section) {
  std::vector<AddedToken> tokens;
  if (section.is_null()) return tokens;
  if (!section.is_array()) return section.Expected("an array");
  for (size_t i = 0; i < section.size(); ++i) {
    WINDOWKV_ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(section[i]));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

void AddedTokenFinder::Add(const AddedToken& token) {
  size_t node = 0;
  for (const char c : token.content) {
    const auto byte = static_cast<uint8_t>(c);
    const auto [edge, inserted] = edges_.try_emplace(uint64_t{node} * 256 + byte, ends_.size());
    if (inserted) ends_.push_back(std::nullopt);
    node = edge->second;
  }
  ends_[node] = tokens_.size();
  tokens_.push_back(token);
  first_bytes_.set(static_cast<uint8_t>(token.content[0]));
}

const AddedToken* AddedTokenFinder::LongestAt(std::string_view text) const {
  const AddedToken* longest = nullptr;
  size_t node = 0;
  for (const char c : text) {
    const auto edge = edges_.find(uint64_t{node} * 256 + static_cast<uint8_t>(c));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (ends_[node]) longest = &tokens_[*ends_[node]];
  }
  return longest;
}

std::optional<AddedTokenFinder::Match> AddedTokenFinder::FindFrom(std::string_view text,
                                                                  size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (!first_bytes_.test(static_cast<uint8_t>(text[at]))) continue;
    if (const AddedToken* token = LongestAt(text.substr(at))) {
      return Match{token, at, at + token->content.size()};
    }
  }
  return std::nullopt;
}

std::vector<AddedTokenFinder::Segment> AddedTokenFinder::Cut(std::string_view text,
                                                             SpecialTokens special) const {
  std::vector<Segment> segments;
  size_t done = 0;  // text before this is in `segments`
  size_t from = 0;  // where the search goes on
  while (const std::optional<Match> match = FindFrom(text, from)) {
    const AddedToken& token = *match->token;
    from = match->end;
    if (token.special && special == SpecialTokens::kAsText) continue;
    if (token.single_word &&
        (EndsWithWord(text.substr(0, match->begin)) || BeginsWithWord(text.substr(match->end)))) {
      continue;
    }
    size_t begin = match->begin;
    if (token.lstrip) begin = done + StripTrailingSpace(text.substr(done, begin - done)).size();
    if (token.rstrip) {
      const std::string_view rest = text.substr(from);
      from += rest.size() - StripLeadingSpace(rest).size();
    }
    if (begin > done) segments.push_back({text.substr(done, begin - done), std::nullopt});
    segments.push_back({text.substr(begin, from - begin), token.id});
    done = from;
  }
  if (done < text.size()) segments.push_back({text.substr(done), std::nullopt});
  return segments;
}

}  // namespace windowkv
