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

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && !file.eof()) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  if (text.find("-----BEGIN ") == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected a PEM file (-----BEGIN ...), found ", text.size(), " bytes without one"));
  }
  return text;
}

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Memory Reader(const std::string& pem) {
  return Memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
}

// gRPC finds out only when a client comes.
absl::Status CheckPair(const std::string& certificate_pem, const std::string& key_pem) {
  char no_passphrase[] = "";  // instead of a question on the terminal
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(Reader(certificate_pem).get(), nullptr, nullptr, no_passphrase),
      &X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(Reader(key_pem).get(), nullptr, nullptr, no_passphrase),
      &EVP_PKEY_free);
  if (certificate != nullptr && key != nullptr &&
      X509_check_private_key(certificate.get(), key.get()) == 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("the TLS key file does not fit the certificate file");
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files) {
  if (files.certificate_file.empty() && files.key_file.empty() && files.client_ca_file.empty()) {
    return grpc::InsecureServerCredentials();
  }
  if (files.certificate_file.empty() || files.key_file.empty()) {
    return absl::InvalidArgumentError("TLS needs both a certificate and a key file");
  }
  WINDOWKV_ASSIGN_OR_RETURN(std::string certificate, ReadPem(files.certificate_file));
  WINDOWKV_ASSIGN_OR_RETURN(std::string key, ReadPem(files.key_file));
  WINDOWKV_RETURN_IF_ERROR(CheckPair(certificate, key));
  grpc::SslServerCredentialsOptions options(
      files.client_ca_file.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                   : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  if (!files.client_ca_file.empty()) {
    WINDOWKV_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(files.client_ca_file));
  }
  return grpc::SslServerCredentials(options);
}

}  // namespace windowkv
