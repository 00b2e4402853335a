#include "client/command_line/prompt_input.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace windowkv::client {
namespace {

TEST(PromptInputTest, ReadsUpToTheLimit) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1} << 16, size_t{100000}}) {
    const std::string text(size, 'x');
    std::istringstream in(text);
    EXPECT_EQ(*ReadAll(in, "prompt.txt", size), text);
  }
}

TEST(PromptInputTest, RefusesWhatIsLongerThanTheLimit) {
  std::istringstream in(std::string(100001, 'x'));
  const absl::Status status = ReadAll(in, "prompt.txt", 100000).status();
  EXPECT_EQ(status, absl::OutOfRangeError(
                        "prompt.txt is longer than 100000 bytes, the most a prompt may have"));
}

TEST(PromptInputTest, ReadsNoMoreOfAnEndlessInputThanItMust) {
  struct Endless : std::streambuf {
    int_type underflow() override {
      setg(bytes, bytes, bytes + sizeof(bytes));
      return traits_type::to_int_type(bytes[0]);
    }
    char bytes[1024] = {};
  } endless;
  std::istream in(&endless);
  EXPECT_TRUE(absl::IsOutOfRange(ReadAll(in, "/dev/zero", 100000).status()));
}

}  // namespace
}  // namespace windowkv::client
