#include "engine/text/vocabulary.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {

absl::StatusOr<Vocabulary> Vocabulary::Create(const JsonNode& section) {
  if (!section.is_object() || section.size() == 0) {
    return section.Expected("an object of token to id that is not empty");
  }
  Vocabulary vocabulary;
  vocabulary.ids_.reserve(section.size());
  for (const auto& [spelling, id] : section.value().items()) {
    const auto* number = id.get_ptr<const uint64_t*>();  // null for what is no integer ≥ 0
    if (number == nullptr || *number > static_cast<uint64_t>(kMaxId)) {
      return section[spelling].Expected(absl::StrCat("an id in [0, ", kMaxId, "]"));
    }
    const absl::Status added = vocabulary.Add(spelling, static_cast<int32_t>(*number));
    if (!added.ok()) {
      return Annotate(added, ToStd(section[spelling].Expected("an id of its own").message()));
    }
  }
  return vocabulary;
}

absl::Status Vocabulary::Add(std::string_view spelling, int32_t id) {
  const auto [entry, inserted] = ids_.emplace(spelling, id);
  if (!inserted && entry->second != id) {
    return absl::InvalidArgumentError(absl::StrCat("the token has id ", entry->second, " already"));
  }
  const auto index = static_cast<size_t>(id);
  if (index >= spellings_.size()) {
    spellings_.resize(index + 1);
    used_.resize(index + 1);
  }
  if (used_[index] && spellings_[index] != spelling) {
    return absl::InvalidArgumentError(
        absl::StrCat("id ", id, " is that of the token ", spellings_[index], " already"));
  }
  spellings_[index] = spelling;
  used_[index] = true;
  return absl::OkStatus();
}

std::optional<int32_t> Vocabulary::Find(std::string_view spelling) const {
  const auto found = ids_.find(ToAbsl(spelling));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::string_view Vocabulary::Spelling(int32_t id) const {
  if (id < 0 || id >= size()) return {};
  return spellings_[static_cast<size_t>(id)];
}

}  // namespace windowkv
