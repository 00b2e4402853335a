#include "server/rpc/slow_readers.h"

#include <future>

#include "engine/base/status.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

constexpr absl::Duration kTimeout = absl::Milliseconds(5);

class FakeCall final : public SlowReaders::Call {
 public:
  using Call::WriteBegins;
  using Call::WriteEnds;

  void WaitUntilCut() { cut_.get_future().wait(); }
  // After the watching thread ended.
  int given_up() const { return given_up_; }

 private:
  void GiveUp() override { ++given_up_; }
  void Cut() override {
    if (++cuts_ == 1) cut_.set_value();
  }

  std::promise<void> cut_;
  int given_up_ = 0;
  int cuts_ = 0;
};

TEST(SlowReadersTest, AWriteThatTakesTooLongIsGivenUpOnceAndThenCut) {
  FakeCall call;
  int slow = 0;
  {
    SlowReaders readers(kTimeout, [&slow] { ++slow; });
    readers.Add(&call);
    call.WriteBegins();
    call.WaitUntilCut();
    readers.Remove(&call);
  }
  EXPECT_EQ(call.given_up(), 1);
  EXPECT_EQ(slow, 1);
}

TEST(SlowReadersTest, ACallThatWritesNothingIsLeftAlone) {
  FakeCall stuck;
  FakeCall silent;
  FakeCall done;
  {
    SlowReaders readers(kTimeout, [] {});
    for (FakeCall* call : {&stuck, &silent, &done}) readers.Add(call);
    done.WriteBegins();
    done.WriteEnds();
    stuck.WriteBegins();
    stuck.WaitUntilCut();
    for (FakeCall* call : {&stuck, &silent, &done}) readers.Remove(call);
  }
  EXPECT_EQ(silent.given_up(), 0);
  EXPECT_EQ(done.given_up(), 0);
}

TEST(SlowReadersTest, TheErrorSaysTheTimeoutAndPromisesNoCureByWaiting) {
  const SlowReaders readers(absl::Seconds(60), [] {});
  EXPECT_EQ(readers.Error().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(readers.Error().message(), "the client took no message for 1m");
  EXPECT_FALSE(RetryDelayOf(readers.Error()).has_value());
}

}  // namespace
}  // namespace windowkv
