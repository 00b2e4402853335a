#ifndef WINDOWKV_CLIENT_REQUEST_PROMPT_H_
#define WINDOWKV_CLIENT_REQUEST_PROMPT_H_

#include <windowkv/v1/generation.pb.h>

#include <string>

namespace windowkv::client {

// Gives `request` its prompt: as the last user message where it is a chat, else as plain text.
void SetPrompt(std::string prompt, v1::GenerateRequest* request);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_REQUEST_PROMPT_H_
