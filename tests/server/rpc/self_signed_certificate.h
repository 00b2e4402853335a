#ifndef WINDOWKV_TESTS_SERVER_RPC_SELF_SIGNED_CERTIFICATE_H_
#define WINDOWKV_TESTS_SERVER_RPC_SELF_SIGNED_CERTIFICATE_H_

#include <string>

namespace windowkv::testing {

// A fresh certificate that is its own authority, and its key; valid for an hour.
struct SelfSignedCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

SelfSignedCertificate MakeSelfSignedCertificate(const std::string& common_name);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SERVER_RPC_SELF_SIGNED_CERTIFICATE_H_
