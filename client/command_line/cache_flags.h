#ifndef WINDOWKV_CLIENT_COMMAND_LINE_CACHE_FLAGS_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_CACHE_FLAGS_H_

#include <windowkv/v1/generation.pb.h>

#include <CLI/CLI.hpp>

namespace windowkv::client {

// How much of the prompt stays cached, and which part: the fields of CacheOptions.
// `request` must outlive the parse.
void AddCacheFlags(CLI::App* app, v1::GenerateRequest* request);

// Those of them that say how WINDOWKV scores and selects; other policies take few of them.
void AddWindowkvFlags(CLI::App* app, v1::GenerateRequest* request);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_CACHE_FLAGS_H_
