#include "tests/integration/process_usage.h"

#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace windowkv::testing {
namespace {

// The number in a line such as "VmRSS:	 1234 kB" of /proc/PID/status.
int64_t StatusNumber(pid_t pid, const std::string& key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; file >> word;) {
    int64_t number = 0;
    if (word == key && file >> number) return number;
  }
  return 0;
}

}  // namespace

int64_t ResidentBytes(pid_t pid) { return StatusNumber(pid, "VmRSS:") << 10; }
int64_t PeakResidentBytes(pid_t pid) { return StatusNumber(pid, "VmHWM:") << 10; }
int Threads(pid_t pid) { return static_cast<int>(StatusNumber(pid, "Threads:")); }

int OpenFileDescriptors(pid_t pid) {
  std::error_code error;
  const std::filesystem::directory_iterator files(absl::StrCat("/proc/", pid, "/fd"), error);
  return error ? 0 : static_cast<int>(std::distance(begin(files), end(files)));
}

void AllowFileDescriptors(pid_t pid, int spare) {
  rlimit limit{};
  prlimit(pid, RLIMIT_NOFILE, nullptr, &limit);
  limit.rlim_cur = static_cast<rlim_t>(OpenFileDescriptors(pid)) + static_cast<rlim_t>(spare);
  prlimit(pid, RLIMIT_NOFILE, &limit, nullptr);
}

}  // namespace windowkv::testing
