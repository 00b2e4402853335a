#include "engine/text/token_offsets.h"

#include <string>

namespace windowkv {

std::vector<int64_t> TokenEnds(std::string_view text, const std::vector<int32_t>& ids,
                               const Tokenizer& tokenizer) {
  std::vector<int64_t> ends;
  ends.reserve(ids.size());
  size_t at = 0;
  bool may_add_space = tokenizer.strips_leading_space();
  for (const int32_t id : ids) {
    const std::string owned = tokenizer.TokenBytes(id);
    std::string_view bytes = owned;
    const bool spelled = text.substr(at).starts_with(bytes);
    if (!spelled && at == 0 && tokenizer.IsSpecial(id)) {
      bytes = {};
    } else if (!spelled && may_add_space && bytes.starts_with(' ') &&
               text.substr(at).starts_with(bytes.substr(1))) {
      bytes.remove_prefix(1);
    } else if (!spelled) {
      return {};
    }
    if (!bytes.empty()) may_add_space = false;
    at += bytes.size();
    ends.push_back(static_cast<int64_t>(at));
  }
  if (at != text.size()) return {};
  return ends;
}

}  // namespace windowkv
