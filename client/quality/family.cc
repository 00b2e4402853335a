#include "client/quality/family.h"

namespace windowkv::client {

std::string FamilyName(Family family) {
  switch (family) {
    case Family::kKeeper:
      return "keeper";
    case Family::kVault:
      return "vault";
    case Family::kJob:
      return "job";
    case Family::kSuperior:
      return "superior";
    case Family::kPurchase:
      return "purchase";
    case Family::kJourney:
      return "journey";
    case Family::kLabels:
      return "labels";
    case Family::kHeadings:
      return "headings";
  }
  return "";
}

std::optional<Family> FamilyOfName(const std::string& name) {
  for (const Family family : AllFamilies()) {
    if (FamilyName(family) == name) return family;
  }
  return std::nullopt;
}

const std::vector<Family>& QuestionFamilies() {
  static const std::vector<Family> families = {Family::kKeeper,   Family::kVault,
                                               Family::kJob,      Family::kSuperior,
                                               Family::kPurchase, Family::kJourney};
  return families;
}

const std::vector<Family>& AllFamilies() {
  static const std::vector<Family> families = [] {
    std::vector<Family> all = QuestionFamilies();
    all.push_back(Family::kLabels);
    all.push_back(Family::kHeadings);
    return all;
  }();
  return families;
}

}  // namespace windowkv::client
