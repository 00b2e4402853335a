#ifndef WINDOWKV_CLIENT_COMMAND_LINE_OUTPUT_BUFFER_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_OUTPUT_BUFFER_H_

#include <array>
#include <streambuf>

namespace windowkv::client {

// What an output stream writes to a file descriptor through. Unlike std::cout's it keeps the reason
// why that failed. Not thread-safe.
class OutputBuffer final : public std::streambuf {
 public:
  // `descriptor` is not owned.
  explicit OutputBuffer(int descriptor);

  // The errno of the write that failed, after which nothing is written; 0: none has.
  int error() const { return error_; }

 protected:
  int_type overflow(int_type character) override;
  int sync() override;

 private:
  const int descriptor_;
  int error_ = 0;
  std::array<char, 4096> buffer_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_OUTPUT_BUFFER_H_
