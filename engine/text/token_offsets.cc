#include "engine/text/token_offsets.h"

#include <string>

namespace windowkv {
namespace {

// As TokenEnds, told whether the first word begins with a space that is not in the text.
std::vector<int64_t> FindEnds(std::string_view text, const std::vector<int32_t>& ids,
                              const Tokenizer& tokenizer, bool space_added) {
  std::vector<int64_t> ends;
  ends.reserve(ids.size());
  size_t at = 0;
  for (const int32_t id : ids) {
    const std::string owned = tokenizer.TokenBytes(id);
    const std::string_view rest = text.substr(at);
    std::string_view bytes = owned;
    if (tokenizer.IsSpecial(id)) {
      if (at == 0 && !rest.starts_with(bytes)) bytes = {};
    } else if (space_added) {
      if (!bytes.starts_with(' ')) return {};
      bytes.remove_prefix(1);
      space_added = false;
    }
    if (!rest.starts_with(bytes)) return {};
    at += bytes.size();
    ends.push_back(static_cast<int64_t>(at));
  }
  if (at != text.size()) return {};
  return ends;
}

}  // namespace

std::vector<int64_t> TokenEnds(std::string_view text, const std::vector<int32_t>& ids,
                               const Tokenizer& tokenizer) {
  if (tokenizer.strips_leading_space()) {
    std::vector<int64_t> ends = FindEnds(text, ids, tokenizer, /*space_added=*/true);
    if (!ends.empty()) return ends;
  }
  return FindEnds(text, ids, tokenizer, /*space_added=*/false);
}

}  // namespace windowkv
