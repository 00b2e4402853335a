#ifndef WINDOWKV_SERVER_RPC_TRACE_CONTEXT_H_
#define WINDOWKV_SERVER_RPC_TRACE_CONTEXT_H_

#include <map>
#include <string>

#include "grpcpp/client_context.h"
#include "grpcpp/support/string_ref.h"

namespace windowkv {

// A call's place in a distributed trace: W3C Trace Context (https://www.w3.org/TR/trace-context-2/)
// in the call's metadata. We report no spans; the trace's id stands in our log lines, and a
// caller's trace goes on through us. A value.
class TraceContext {
 public:
  // As gRPC hands out a call's metadata.
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // The trace that the caller named in `traceparent`, or a new one when it named none, or one that
  // is malformed: the standard asks to go on as if there were none. Our span in it is new.
  static TraceContext Of(const Metadata& metadata);

  const std::string& trace_id() const { return trace_id_; }  // 32 hexadecimal digits
  const std::string& span_id() const { return span_id_; }    // 16, our own

  // Makes `call`, sent on behalf of ours, a child of our span.
  void AddTo(grpc::ClientContext* call) const;

 private:
  std::string trace_id_;
  std::string span_id_;
  std::string flags_ = "00";
  std::string state_;  // of other systems, handed on as it is
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_TRACE_CONTEXT_H_
