#ifndef WINDOWKV_CLIENT_TRACEPARENT_H_
#define WINDOWKV_CLIENT_TRACEPARENT_H_

#include <string>

namespace windowkv::client {

// Whether `text` names a place in a trace as W3C Trace Context writes it:
// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".
bool IsTraceparent(const std::string& text);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_TRACEPARENT_H_
