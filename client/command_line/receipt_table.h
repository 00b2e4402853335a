#ifndef WINDOWKV_CLIENT_COMMAND_LINE_RECEIPT_TABLE_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_RECEIPT_TABLE_H_

#include <windowkv/v1/generation.pb.h>

#include <string>

namespace windowkv::client {

// The receipt and usage of a finished request as a small table for people, several lines.
std::string ReceiptTable(const v1::Finished& finished);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_RECEIPT_TABLE_H_
