#ifndef WINDOWKV_CLIENT_COMMAND_LINE_SAMPLING_FLAGS_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_SAMPLING_FLAGS_H_

#include <windowkv/v1/generation.pb.h>

#include <CLI/CLI.hpp>

namespace windowkv::client {

// How the next token is chosen and when the text ends: the fields of SamplingParams but its seed.
// `request` must outlive the parse.
void AddSamplingFlags(CLI::App* app, v1::GenerateRequest* request);

// The seed of a single request.
void AddSeedFlag(CLI::App* app, v1::GenerateRequest* request);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_SAMPLING_FLAGS_H_
