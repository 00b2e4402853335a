#include "engine/text/beginning_of_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/engine/text/checkpoint_files.h"

namespace windowkv {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json Special(const std::string& id) { return {{"SpecialToken", {{"id", id}, {"type_id", 0}}}}; }
json Text() { return {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}; }
json Template(const json& single) { return {{"type", "TemplateProcessing"}, {"single", single}}; }
json ByteLevel() { return {{"type", "ByteLevel"}, {"trim_offsets", false}}; }

absl::StatusOr<std::optional<int32_t>> BosOf(const json& post_processor, const json& config = {}) {
  json file = ReadJson(DemoModelDir() + "/tokenizer.json");
  file["post_processor"] = post_processor;
  const auto tokenizer = LoadFrom(file, config);
  if (!tokenizer.ok()) return tokenizer.status();
  return (*tokenizer)->bos_id();
}

std::optional<int32_t> MustBosOf(const json& post_processor, const json& config = {}) {
  const auto bos = BosOf(post_processor, config);
  EXPECT_TRUE(bos.ok()) << bos.status();
  return bos.ok() ? *bos : -1;
}

const char kBos[] = "<|begin_of_text|>";

TEST(BeginningOfTextTest, ComesFromTheTemplate) {
  const json with_bos = Template({Special(kBos), Text()});
  EXPECT_EQ(MustBosOf(with_bos), 0);
  EXPECT_EQ(MustBosOf({{"type", "Sequence"}, {"processors", {ByteLevel(), with_bos}}}), 0);
  EXPECT_EQ(MustBosOf(with_bos, {{"add_bos_token", false}}), 0);
  EXPECT_EQ(
      MustBosOf(Template(json::array({Text()})), {{"add_bos_token", true}, {"bos_token", kBos}}),
      std::nullopt);
}

TEST(BeginningOfTextTest, ComesFromTheConfigurationWithoutATemplate) {
  for (const json& post_processor : {json(), ByteLevel()}) {
    EXPECT_EQ(MustBosOf(post_processor, {{"add_bos_token", true}, {"bos_token", kBos}}), 0);
    EXPECT_EQ(MustBosOf(post_processor,
                        {{"add_bos_token", true}, {"bos_token", {{"content", "<|pad|>"}}}}),
              5);
    EXPECT_EQ(MustBosOf(post_processor, {{"add_bos_token", true}, {"bos_token", nullptr}}),
              std::nullopt);
  }
}

TEST(BeginningOfTextTest, IsNoneWhereTheCheckpointOnlyNamesAToken) {
  EXPECT_EQ(MustBosOf(ByteLevel(), {{"bos_token", kBos}}), std::nullopt);
  const auto demo = LoadTokenizer(DemoModelDir());
  ASSERT_TRUE(demo.ok()) << demo.status();
  EXPECT_EQ((*demo)->bos_id(), std::nullopt);
}

TEST(BeginningOfTextTest, RefusesWhatItCannotFollow) {
  struct Case {
    json post_processor;
    absl::StatusCode code;
    std::string message;
  };
  const json with_bos = Template({Special(kBos), Text()});
  for (const Case& c : {
           Case{{{"type", "BertProcessing"}},
                absl::StatusCode::kUnimplemented,
                "post_processor.type: expected ByteLevel, TemplateProcessing or Sequence, found "
                "\"BertProcessing\""},
           Case{Template({Text(), Special(kBos)}), absl::StatusCode::kUnimplemented,
                "post_processor.single[1].SpecialToken.id"},
           Case{Template({Special(kBos), Special(kBos), Text()}), absl::StatusCode::kUnimplemented,
                "post_processor.single[1].SpecialToken.id"},
           Case{Template({Special("<nobody>"), Text()}), absl::StatusCode::kInvalidArgument,
                "expected a token of the vocabulary, found \"<nobody>\""},
           Case{Template(json::array({Special(kBos)})), absl::StatusCode::kInvalidArgument,
                "post_processor.single"},
           Case{Template(nullptr), absl::StatusCode::kInvalidArgument, "expected an array"},
           Case{Template(json::array({1})), absl::StatusCode::kInvalidArgument,
                "post_processor.single[0]"},
           Case{{{"type", "Sequence"}, {"processors", {with_bos, with_bos}}},
                absl::StatusCode::kUnimplemented,
                "one TemplateProcessing"},
       }) {
    const absl::Status status = BosOf(c.post_processor).status();
    EXPECT_EQ(status.code(), c.code) << c.post_processor << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message)) << c.post_processor;
  }
}

}  // namespace
}  // namespace windowkv
