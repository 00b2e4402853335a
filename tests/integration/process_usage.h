#ifndef WINDOWKV_TESTS_INTEGRATION_PROCESS_USAGE_H_
#define WINDOWKV_TESTS_INTEGRATION_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>

namespace windowkv::testing {

// What the system says of a process; 0 when there is none.
int64_t ResidentBytes(pid_t pid);
// The most it ever was.
int64_t PeakResidentBytes(pid_t pid);
int OpenFileDescriptors(pid_t pid);
int Threads(pid_t pid);

// Leaves the process room for `spare` file descriptors more than it has open.
void AllowFileDescriptors(pid_t pid, int spare);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_INTEGRATION_PROCESS_USAGE_H_
