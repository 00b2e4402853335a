#include "engine/request/token_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace windowkv {
namespace {

ChunkEvent Chunk(int32_t id, std::string text) {
  return {std::move(text), {id}, {{{id, -1.0f, ""}, {}}}};
}

TEST(TokenStreamTest, GivesEventsInTheOrderTheyCame) {
  TokenStream stream;
  stream.Push(AcceptedEvent{12, {}, {}});
  stream.Push(ProgressEvent{1, 4});
  stream.Push(Chunk(5, "five"));
  stream.Push(FinishedEvent{});
  EXPECT_EQ(std::get<AcceptedEvent>(*stream.TryNext()).prompt_tokens, 12);
  EXPECT_EQ(std::get<ProgressEvent>(*stream.TryNext()).layers_done, 1);
  EXPECT_EQ(std::get<ChunkEvent>(*stream.TryNext()).text, "five");
  EXPECT_TRUE(std::holds_alternative<FinishedEvent>(*stream.TryNext()));
  EXPECT_FALSE(stream.TryNext().has_value());
}

TEST(TokenStreamTest, MergesChunksThatNobodyTook) {
  TokenStream stream;
  for (int32_t id = 0; id < 10; ++id) stream.Push(Chunk(id, std::to_string(id)));
  const ChunkEvent merged = std::get<ChunkEvent>(*stream.TryNext());
  EXPECT_EQ(merged.text, "0123456789");
  EXPECT_EQ(merged.token_ids, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  ASSERT_EQ(merged.logprobs.size(), 10u);
  EXPECT_EQ(merged.logprobs[9].chosen.token_id, 9);
  EXPECT_FALSE(stream.TryNext().has_value());
}

TEST(TokenStreamTest, KeepsOnlyTheNewestOfWaitingProgress) {
  TokenStream stream;
  for (int32_t layer = 1; layer <= 8; ++layer) stream.Push(ProgressEvent{layer, 8});
  EXPECT_EQ(std::get<ProgressEvent>(*stream.TryNext()).layers_done, 8);
  EXPECT_FALSE(stream.TryNext().has_value());
}

TEST(TokenStreamTest, DoesNotMergeDifferentKindsOfEvents) {
  TokenStream stream;
  stream.Push(ProgressEvent{8, 8});
  stream.Push(Chunk(1, "a"));
  stream.Push(ProgressEvent{8, 8});
  EXPECT_TRUE(std::holds_alternative<ProgressEvent>(*stream.TryNext()));
  EXPECT_TRUE(std::holds_alternative<ChunkEvent>(*stream.TryNext()));
  EXPECT_TRUE(std::holds_alternative<ProgressEvent>(*stream.TryNext()));
}

TEST(TokenStreamTest, MergedChunksStayOfBoundedSizeAndLoseNothing) {
  TokenStream stream;
  constexpr int32_t kTokens = 2000;
  for (int32_t id = 0; id < kTokens; ++id) stream.Push(Chunk(id, std::string(200, 'x')));
  int32_t next_id = 0;
  size_t bytes = 0;
  while (auto event = stream.TryNext()) {
    const ChunkEvent& chunk = std::get<ChunkEvent>(*event);
    EXPECT_LE(chunk.token_ids.size(), 512u);
    EXPECT_LE(chunk.text.size(), (64u << 10) + 200);
    bytes += chunk.text.size();
    for (int32_t id : chunk.token_ids) EXPECT_EQ(id, next_id++);
  }
  EXPECT_EQ(next_id, kTokens);
  EXPECT_EQ(bytes, 200u * kTokens);
}

TEST(TokenStreamTest, NextGivesNothingWhenTheTimeIsOver) {
  TokenStream stream;
  EXPECT_FALSE(stream.Next(absl::ZeroDuration()).has_value());
  EXPECT_FALSE(stream.Next(absl::Milliseconds(1)).has_value());
  stream.Push(FinishedEvent{});
  EXPECT_TRUE(stream.Next(absl::ZeroDuration()).has_value());
}

TEST(TokenStreamTest, NextWaitsForAnotherThreadsEvent) {
  TokenStream stream;
  std::thread producer([&stream] { stream.Push(absl::CancelledError("gone")); });
  const std::optional<StreamEvent> event = stream.Next();
  producer.join();
  EXPECT_EQ(std::get<absl::Status>(*event).code(), absl::StatusCode::kCancelled);
}

TEST(TokenStreamTest, CallsReadyOnlyWhenNothingWasWaiting) {
  TokenStream stream;
  int calls = 0;
  stream.SetReadyCallback([&calls] { ++calls; });
  EXPECT_EQ(calls, 0);
  stream.Push(AcceptedEvent{});
  EXPECT_EQ(calls, 1);
  stream.Push(ProgressEvent{});
  EXPECT_EQ(calls, 1);
  stream.TryNext();
  stream.Push(ProgressEvent{});
  EXPECT_EQ(calls, 1);
  while (stream.TryNext()) {
  }
  stream.Push(FinishedEvent{});
  EXPECT_EQ(calls, 2);
}

TEST(TokenStreamTest, CallsReadyAtOnceWhenEventsWait) {
  TokenStream stream;
  stream.Push(AcceptedEvent{});
  int calls = 0;
  stream.SetReadyCallback([&calls] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(TokenStreamTest, ReadyMayTakeTheEventsItself) {
  TokenStream stream;
  int taken = 0;
  stream.SetReadyCallback([&] {
    while (stream.TryNext()) ++taken;
  });
  for (int i = 0; i < 5; ++i) stream.Push(Chunk(i, "x"));
  EXPECT_EQ(taken, 5);
}

TEST(TokenStreamTest, ARemovedCallbackIsNotCalledAgain) {
  TokenStream stream;
  int calls = 0;
  stream.SetReadyCallback([&calls] { ++calls; });
  stream.SetReadyCallback(nullptr);
  stream.Push(AcceptedEvent{});
  EXPECT_EQ(calls, 0);
}

TEST(TokenStreamTest, RemovalWaitsForARunningCallback) {
  for (int round = 0; round < 300; ++round) {
    TokenStream stream;
    auto alive = std::make_unique<std::atomic<bool>>(true);
    std::atomic<bool> called_dead{false};
    stream.SetReadyCallback([&called_dead, flag = alive.get()] {
      if (!flag->load()) called_dead = true;
      std::this_thread::yield();
      if (!flag->load()) called_dead = true;
    });
    std::thread producer([&stream] {
      for (int i = 0; i < 20; ++i) {
        stream.Push(ProgressEvent{i, 20});
        stream.TryNext();
      }
    });
    stream.SetReadyCallback(nullptr);
    alive->store(false);
    producer.join();
    ASSERT_FALSE(called_dead);
  }
}

// Whichever comes first, the callback or the event: the consumer hears of the event.
TEST(TokenStreamTest, NoEventIsMissedWhileTheCallbackIsSet) {
  for (int round = 0; round < 2000; ++round) {
    TokenStream stream;
    std::atomic<int> calls{0};
    std::atomic<bool> go{false};
    std::thread producer([&] {
      while (!go.load()) {
      }
      stream.Push(FinishedEvent{});
    });
    go = true;
    stream.SetReadyCallback([&calls] { ++calls; });
    producer.join();
    ASSERT_GE(calls, 1) << "round " << round;
  }
}

TEST(TokenStreamTest, EverythingPushedByAThreadArrivesOnceAndInOrder) {
  TokenStream stream;
  constexpr int32_t kTokens = 20000;
  std::thread producer([&stream] {
    for (int32_t id = 0; id < kTokens; ++id) stream.Push(Chunk(id, "t"));
    stream.Push(FinishedEvent{});
  });
  std::vector<int32_t> ids;
  std::string text;
  for (;;) {
    std::optional<StreamEvent> event = stream.Next();
    if (IsLast(*event)) break;
    ChunkEvent& chunk = std::get<ChunkEvent>(*event);
    ids.insert(ids.end(), chunk.token_ids.begin(), chunk.token_ids.end());
    text += chunk.text;
  }
  producer.join();
  ASSERT_EQ(ids.size(), static_cast<size_t>(kTokens));
  for (int32_t i = 0; i < kTokens; ++i) ASSERT_EQ(ids[i], i);
  EXPECT_EQ(text, std::string(kTokens, 't'));
}

TEST(TokenStreamTest, CancellationIsSeenByTheProducerAndLeavesEventsAlone) {
  TokenStream stream;
  EXPECT_FALSE(stream.cancelled());
  stream.Push(AcceptedEvent{});
  stream.Cancel();
  EXPECT_TRUE(stream.cancelled());
  EXPECT_TRUE(stream.TryNext().has_value());
}

TEST(TokenStreamTest, IsCongestedWhileFullChunksWaitAndWakesTheProducerWhenTheyDoNot) {
  int woken = 0;
  TokenStream stream([&woken] { ++woken; });
  int32_t pushed = 0;
  while (!stream.congested()) stream.Push(Chunk(pushed++, "t"));
  EXPECT_LT(pushed, 4 * 512);
  EXPECT_GT(pushed, 3 * 512);
  EXPECT_EQ(woken, 0);
  stream.TryNext();
  EXPECT_FALSE(stream.congested());
  EXPECT_EQ(woken, 1);
  stream.TryNext();
  EXPECT_EQ(woken, 1);
}

TEST(TokenStreamTest, CancellationWakesTheProducerUntilTheEndHasBeenPushed) {
  int woken = 0;
  TokenStream stream([&woken] { ++woken; });
  stream.Cancel();
  EXPECT_EQ(woken, 1);
  stream.Push(absl::CancelledError("the client left"));
  stream.Cancel();
  EXPECT_EQ(woken, 1);
}

TEST(TokenStreamTest, OnlyTheEndAndAnErrorAreLast) {
  EXPECT_FALSE(IsLast(AcceptedEvent{}));
  EXPECT_FALSE(IsLast(ProgressEvent{}));
  EXPECT_FALSE(IsLast(ChunkEvent{}));
  EXPECT_TRUE(IsLast(FinishedEvent{}));
  EXPECT_TRUE(IsLast(absl::InternalError("a bug")));
}

}  // namespace
}  // namespace windowkv
