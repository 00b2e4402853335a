#include "server/rpc/trace_context.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/test/client_context_test_peer.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

using ::testing::MatchesRegex;
using ::testing::UnorderedElementsAre;

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TraceContext Of(const std::string& traceparent) {
  return TraceContext::Of({{"traceparent", traceparent}});
}

// What a call sent on behalf of one with this trace carries: all values of `key`.
std::vector<std::string> Sent(const TraceContext& trace, const std::string& key) {
  grpc::ClientContext call;
  trace.AddTo(&call);
  std::vector<std::string> values;
  const auto all = grpc::testing::ClientContextTestPeer(&call).GetSendInitialMetadata();
  for (const auto& [name, value] : all) {
    if (name == key) values.push_back(value);
  }
  return values;
}

TEST(TraceContextTest, TakesTheCallersTraceAndASpanOfItsOwn) {
  const TraceContext trace = Of(kParent);
  EXPECT_EQ(trace.trace_id(), kTraceId);
  EXPECT_THAT(trace.span_id(), MatchesRegex("[0-9a-f]{16}"));
  EXPECT_NE(trace.span_id(), "00f067aa0ba902b7");
  EXPECT_NE(trace.span_id(), Of(kParent).span_id());
}

TEST(TraceContextTest, WhatItCallsIsAChildOfItsSpan) {
  const TraceContext trace = Of(kParent);
  EXPECT_THAT(Sent(trace, "traceparent"),
              UnorderedElementsAre(std::string("00-") + kTraceId + "-" + trace.span_id() + "-01"));
}

TEST(TraceContextTest, WithoutAParentItBeginsANewTraceThatIsNotSampled) {
  const TraceContext trace = TraceContext::Of({});
  EXPECT_THAT(trace.trace_id(), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(trace.trace_id(), TraceContext::Of({}).trace_id());
  EXPECT_THAT(Sent(trace, "traceparent"),
              UnorderedElementsAre(MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-00")));
}

TEST(TraceContextTest, IgnoresAMalformedParent) {
  for (const std::string malformed :
       {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    const TraceContext trace = Of(malformed);
    EXPECT_THAT(trace.trace_id(), MatchesRegex("[0-9a-f]{32}")) << malformed;
    EXPECT_NE(trace.trace_id(), kTraceId) << malformed;
  }
}

TEST(TraceContextTest, IgnoresAParentGivenTwice) {
  EXPECT_NE(TraceContext::Of({{"traceparent", kParent}, {"traceparent", kParent}}).trace_id(),
            kTraceId);
}

TEST(TraceContextTest, UnderstandsWhatItKnowsOfALaterVersion) {
  const TraceContext trace = Of("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more");
  EXPECT_EQ(trace.trace_id(), kTraceId);
  EXPECT_THAT(Sent(trace, "traceparent"), UnorderedElementsAre(MatchesRegex("00-.*-03")));
}

TEST(TraceContextTest, HandsOnTheStateOfOtherSystems) {
  const TraceContext trace = TraceContext::Of(
      {{"traceparent", kParent}, {"tracestate", "a=1"}, {"tracestate", "b=2,c=3"}});
  EXPECT_THAT(Sent(trace, "tracestate"), UnorderedElementsAre("a=1,b=2,c=3"));
}

TEST(TraceContextTest, DropsAStateThatGrpcWouldNotSend) {
  for (const std::string state : {"a=\x01", "a=\n", "a=\x7F", "a=\xC3\xA9"}) {
    EXPECT_THAT(
        Sent(TraceContext::Of({{"traceparent", kParent}, {"tracestate", state}}), "tracestate"),
        UnorderedElementsAre());
  }
}

TEST(TraceContextTest, DropsAStateThatIsTooLongOrBelongsToNoTrace) {
  const std::string long_state = "a=" + std::string(511, 'x');
  EXPECT_THAT(
      Sent(TraceContext::Of({{"traceparent", kParent}, {"tracestate", long_state}}), "tracestate"),
      UnorderedElementsAre());
  EXPECT_THAT(Sent(TraceContext::Of({{"traceparent", "00"}, {"tracestate", "a=1"}}), "tracestate"),
              UnorderedElementsAre());
}

}  // namespace
}  // namespace windowkv
