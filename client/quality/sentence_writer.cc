#include "client/quality/sentence_writer.h"

#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace windowkv::client {
namespace {

constexpr const char* kSyllables[] = {
    "ba", "be", "bi", "bo", "bu", "da", "de", "di", "do", "du", "fa", "fe", "fi", "fo", "ga", "ge",
    "go", "gu", "ha", "he", "hi", "ho", "ja", "je", "jo", "ka", "ke", "ki", "ko", "ku", "la", "le",
    "li", "lo", "lu", "ma", "me", "mi", "mo", "mu", "na", "ne", "ni", "no", "nu", "pa", "pe", "pi",
    "po", "ra", "re", "ri", "ro", "ru", "sa", "se", "si", "so", "su", "ta", "te", "ti", "to", "tu",
    "va", "ve", "vi", "vo", "wa", "we", "wi", "ya", "yo", "za", "ze", "zo"};
constexpr const char* kNameEnds[] = {"n", "r", "l", "s", "th", "nd", "m", "k", "", "", ""};
constexpr const char* kTownEnds[] = {"ton", "ford", "by", "burg", "field", "mouth"};
constexpr const char* kAdjectives[] = {"brass",   "silver", "wooden", "broken",  "painted",
                                       "hollow",  "tiny",   "heavy",  "ancient", "glass",
                                       "woven",   "copper", "golden", "rusty",   "velvet",
                                       "striped", "marble", "paper",  "iron",    "ivory"};
constexpr const char* kNouns[] = {"lantern", "compass", "kettle", "ladder",  "violin",
                                  "mirror",  "basket",  "anchor", "clock",   "hammer",
                                  "bottle",  "candle",  "ribbon", "saddle",  "telescope",
                                  "statue",  "drum",    "chest",  "whistle", "map"};
constexpr const char* kJobs[] = {"baker",  "sailor",   "teacher", "mason",  "painter",
                                 "doctor", "farmer",   "weaver",  "lawyer", "pilot",
                                 "singer", "tailor",   "miner",   "guard",  "scribe",
                                 "cook",   "gardener", "potter",  "judge",  "clerk"};
constexpr const char* kColors[] = {"red",    "green",  "blue",   "white", "black",
                                   "yellow", "purple", "orange", "pink",  "grey"};
constexpr const char* kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                 "Friday", "Saturday", "Sunday"};
constexpr const char* kVerbs[] = {"watched", "followed", "greeted",   "thanked",
                                  "visited", "painted",  "described", "admired",
                                  "ignored", "helped",   "called",    "remembered"};
constexpr const char* kPlaces[] = {"harbour", "market", "library", "station", "garden",
                                   "bridge",  "tower",  "chapel",  "museum",  "mill"};
constexpr const char* kWeather[] = {"rain",     "wind",  "snow",    "fog",
                                    "sunshine", "frost", "thunder", "drizzle"};
constexpr const char* kLabels[] = {"alpha", "beta", "gamma", "delta", "omega", "sigma"};

std::string Capitalised(std::string word) {
  word[0] = absl::ascii_toupper(static_cast<unsigned char>(word[0]));
  return word;
}

}  // namespace

std::string SentenceWriter::Stem() {
  const std::string first = random_.Pick(kSyllables);
  return first + random_.Pick(kSyllables);
}

std::string SentenceWriter::Name() {
  std::string first = Stem();
  first += random_.Pick(kNameEnds);
  std::string last = Stem();
  last += random_.Pick(kNameEnds);
  return absl::StrCat(Capitalised(std::move(first)), " ", Capitalised(std::move(last)));
}

std::string SentenceWriter::Town() {
  const std::string stem = Stem();
  return Capitalised(stem + random_.Pick(kTownEnds));
}

std::string SentenceWriter::Thing() {
  const char* adjective = random_.Pick(kAdjectives);
  return absl::StrCat(adjective, " ", random_.Pick(kNouns));
}

std::string SentenceWriter::Number() { return absl::StrCat(1000 + random_.Below(998999)); }

// The words are drawn one after the other before they are put together: a call's arguments have no
// order of their own, and the same seed must give the same text.
std::string SentenceWriter::SmallTalk() {
  const char* weather = random_.Pick(kWeather);
  const char* place = random_.Pick(kPlaces);
  const char* day = random_.Pick(kDays);
  const char* job = random_.Pick(kJobs);
  const char* other_job = random_.Pick(kJobs);
  const char* verb = random_.Pick(kVerbs);
  const char* color = random_.Pick(kColors);
  const char* noun = random_.Pick(kNouns);
  switch (random_.Below(6)) {
    case 0:
      return absl::StrCat("The ", weather, " over the ", place, " lasted until ", day, ".");
    case 1:
      return absl::StrCat("A ", job, " ", verb, " the ", color, " ", noun, " near the ", place,
                          ".");
    case 2:
      return absl::StrCat("On ", day, " nobody ", verb, " the ", job, " at the ", place, ".");
    case 3:
      return absl::StrCat("Every ", day, " the ", place, " smelled of ", weather, " and ", color,
                          " paint.");
    case 4:
      return absl::StrCat("Some ", color, " ", noun, "s were left beside the old ", place, ".");
    default:
      return absl::StrCat("The ", job, " and the ", other_job, " talked about ", weather,
                          " again.");
  }
}

Fact SentenceWriter::FactOf(Family family) {
  switch (family) {
    case Family::kVault:
      return Vault();
    case Family::kJob:
      return Job();
    case Family::kSuperior:
      return Superior();
    case Family::kPurchase:
      return Purchase();
    case Family::kJourney:
      return Journey();
    default:
      return Keeper();
  }
}

Fact SentenceWriter::AnyFact() {
  const std::vector<Family>& families = QuestionFamilies();
  return FactOf(families[random_.Below(families.size())]);
}

Fact SentenceWriter::Keeper() {
  const std::string name = Name();
  const std::string thing = Thing();
  const std::string town = Town();
  return {absl::StrCat(name, " keeps the ", thing, " in ", town, "."),
          name,
          {{absl::StrCat("Where does ", name, " keep the ", thing, "?"), town}}};
}

Fact SentenceWriter::Vault() {
  const std::string town = Town();
  const std::string code = Number();
  return {absl::StrCat("The access code for the ", town, " vault is ", code, "."),
          town,
          {{absl::StrCat("What is the access code for the ", town, " vault?"), code}}};
}

Fact SentenceWriter::Job() {
  const std::string name = Name();
  const std::string job = random_.Pick(kJobs);
  const std::string town = Town();
  return {absl::StrCat(name, " works as a ", job, " in ", town, "."),
          name,
          {{absl::StrCat("What is the job of ", name, "?"), job, /*common=*/true},
           {absl::StrCat("In which town does ", name, " work?"), town}}};
}

Fact SentenceWriter::Superior() {
  const std::string name = Name();
  const std::string superior = Name();
  return {absl::StrCat(name, " reports to ", superior, "."),
          name,
          {{absl::StrCat("Who does ", name, " report to?"), superior}}};
}

Fact SentenceWriter::Purchase() {
  const std::string name = Name();
  const std::string thing = Thing();
  const std::string price = Number();
  return {absl::StrCat(name, " bought the ", thing, " for ", price, " coins."),
          name,
          {{absl::StrCat("How many coins did ", name, " pay for the ", thing, "?"), price}}};
}

Fact SentenceWriter::Journey() {
  const std::string name = Name();
  const std::string day = random_.Pick(kDays);
  const std::string town = Town();
  return {absl::StrCat(name, " travels to ", town, " every ", day, "."),
          name,
          {{absl::StrCat("When does ", name, " travel to ", town, "?"), day, /*common=*/true},
           {absl::StrCat("Where does ", name, " travel every ", day, "?"), town}}};
}

std::string SentenceWriter::Heading() {
  const char* adjective = random_.Pick(kAdjectives);
  return absl::StrCat(adjective, " ", random_.Pick(kPlaces));
}

std::vector<std::string> SentenceWriter::LabelRule() {
  std::vector<std::string> labels(std::begin(kLabels), std::end(kLabels));
  random_.Shuffle(&labels);
  labels.resize(2 + random_.Below(3));
  std::vector<std::string> rule;
  for (size_t i = 0; i < std::size(kNouns); ++i) rule.push_back(labels[i % labels.size()]);
  random_.Shuffle(&rule);
  return rule;
}

LabelledExample SentenceWriter::Example(const std::vector<std::string>& rule) {
  const char* job = random_.Pick(kJobs);
  const char* verb = random_.Pick(kVerbs);
  const char* adjective = random_.Pick(kAdjectives);
  const size_t noun = random_.Below(std::size(kNouns));
  return {absl::StrCat("Text: A ", job, " ", verb, " the ", adjective, " ", kNouns[noun], " on ",
                       random_.Pick(kDays), "."),
          rule[noun]};
}

}  // namespace windowkv::client
