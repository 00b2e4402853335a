#include "server/rpc/tls_credentials.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

absl::StatusOr<std::string> ReadPem(const char* flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && !file.eof()) {
    return absl::NotFoundError(absl::StrCat(flag, ": cannot read ", path));
  }
  if (text.find("-----BEGIN ") == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(flag, ": ", path,
                                                   ": expected a PEM file (-----BEGIN ...), found ",
                                                   text.size(), " bytes without one"));
  }
  return text;
}

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Memory Reader(const std::string& pem) {
  return Memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
}

// Instead of a question on the terminal. OpenSSL only reads it.
constexpr char kNoPassphrase[] = "";
char* NoPassphrase() { return const_cast<char*>(kNoPassphrase); }

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// The first of the file. gRPC would find out only when a client comes that there is none.
absl::StatusOr<Certificate> ReadCertificate(const char* flag, const std::string& path,
                                            const std::string& pem) {
  Certificate certificate(PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, NoPassphrase()),
                          &X509_free);
  if (certificate != nullptr) return certificate;
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", path, ": no certificate in it"));
}

absl::Status CheckPair(const TlsFiles& files, const std::string& certificate_pem,
                       const std::string& key_pem) {
  WINDOWKV_ASSIGN_OR_RETURN(const Certificate certificate,
                            ReadCertificate("--tls-cert", files.certificate_file, certificate_pem));
  const Key key(PEM_read_bio_PrivateKey(Reader(key_pem).get(), nullptr, nullptr, NoPassphrase()),
                &EVP_PKEY_free);
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-key: ", files.key_file, ": no private key in it that needs no passphrase"));
  }
  if (X509_check_private_key(certificate.get(), key.get()) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--tls-key: ", files.key_file,
                                                 ": not the key of the certificate in ",
                                                 files.certificate_file));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files) {
  if (files.certificate_file.empty() && files.key_file.empty() && files.client_ca_file.empty()) {
    return grpc::InsecureServerCredentials();
  }
  if (files.certificate_file.empty() || files.key_file.empty()) {
    return absl::InvalidArgumentError("TLS needs both --tls-cert and --tls-key");
  }
  WINDOWKV_ASSIGN_OR_RETURN(std::string certificate, ReadPem("--tls-cert", files.certificate_file));
  WINDOWKV_ASSIGN_OR_RETURN(std::string key, ReadPem("--tls-key", files.key_file));
  WINDOWKV_RETURN_IF_ERROR(CheckPair(files, certificate, key));
  grpc::SslServerCredentialsOptions options(
      files.client_ca_file.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                   : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  if (!files.client_ca_file.empty()) {
    WINDOWKV_ASSIGN_OR_RETURN(options.pem_root_certs,
                              ReadPem("--tls-client-ca", files.client_ca_file));
    const auto authority =
        ReadCertificate("--tls-client-ca", files.client_ca_file, options.pem_root_certs);
    if (!authority.ok()) return authority.status();
  }
  return grpc::SslServerCredentials(options);
}

}  // namespace windowkv
