#include "client/request_prompt.h"

#include <utility>

namespace windowkv::client {

void SetPrompt(std::string prompt, v1::GenerateRequest* request) {
  if (!request->has_chat()) {
    request->set_text(std::move(prompt));
    return;
  }
  v1::ChatMessage* message = request->mutable_chat()->add_messages();
  message->set_role("user");
  message->set_content(std::move(prompt));
}

}  // namespace windowkv::client
