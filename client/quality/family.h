#ifndef WINDOWKV_CLIENT_QUALITY_FAMILY_H_
#define WINDOWKV_CLIENT_QUALITY_FAMILY_H_

#include <optional>
#include <string>
#include <vector>

namespace windowkv::client {

// What a document is asked. The first six ask for one fact among many and are named for it; the
// last two gather something over the whole text.
enum class Family {
  kKeeper,    // where somebody keeps a thing
  kVault,     // the access code of a town's vault
  kJob,       // somebody's job, or the town of it
  kSuperior,  // whom somebody reports to
  kPurchase,  // what somebody paid for a thing
  kJourney,   // when or where somebody travels
  kLabels,    // the label of a new example, by a rule that only labelled examples show
  kHeadings,  // all section titles in order
};

// "keeper", "vault", and so on.
std::string FamilyName(Family family);
std::optional<Family> FamilyOfName(const std::string& name);
// The six that ask for a fact.
const std::vector<Family>& QuestionFamilies();
// Those and the two that gather.
const std::vector<Family>& AllFamilies();

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_FAMILY_H_
