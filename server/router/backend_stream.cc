#include "server/router/backend_stream.h"

#include <utility>

namespace windowkv {

BackendStream::BackendStream(Backend* backend, std::shared_ptr<grpc::ClientContext> context,
                             Reader* reader)
    : backend_(backend), context_(std::move(context)), reader_(reader) {}

void BackendStream::Start(Backend* backend, std::shared_ptr<grpc::ClientContext> context,
                          const v1::GenerateRequest& request, Reader* reader) {
  auto* stream = new BackendStream(backend, std::move(context), reader);  // deleted in OnDone
  backend->stub().async()->Generate(stream->context_.get(), &request, stream);
  // Next and Abandon are called from reactions of the client's stream, so gRPC must not end this
  // one between them.
  stream->AddHold();
  stream->StartRead(&stream->message_);
  stream->StartCall();
}

void BackendStream::Abandon() {
  context_->TryCancel();
  RemoveHold();
}

void BackendStream::OnReadDone(bool ok) {
  if (ok) {
    reader_->OnMessage(this, message_);
  } else {
    RemoveHold();
  }
}

void BackendStream::OnDone(const grpc::Status& status) {
  const std::unique_ptr<BackendStream> self(this);
  backend_->OnStreamClosed();
  // The context holds the channel, which gRPC does not allow to end on a thread of its own. After
  // OnEnd the router may be shut down, so it must not be held here any longer.
  context_.reset();
  reader_->OnEnd(status);
}

}  // namespace windowkv
