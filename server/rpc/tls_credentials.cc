#include "server/rpc/tls_credentials.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

// A file and the flag that named it, for messages.
struct PemFile {
  const char* flag;
  std::string path;

  absl::Status Error(absl::string_view problem) const {
    return absl::InvalidArgumentError(absl::StrCat(flag, ": ", path, ": ", problem));
  }
};

absl::StatusOr<std::string> ReadPem(const PemFile& pem) {
  std::ifstream file(pem.path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && !file.eof()) {
    return absl::NotFoundError(absl::StrCat(pem.flag, ": cannot read ", pem.path));
  }
  if (text.find("-----BEGIN ") == std::string::npos) {
    return pem.Error(absl::StrCat("expected a PEM file (-----BEGIN ...), found ", text.size(),
                                  " bytes without one"));
  }
  return text;
}

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Memory Reader(const std::string& text) {
  return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
}

// Instead of a question on the terminal. OpenSSL only reads it.
constexpr char kNoPassphrase[] = "";
char* NoPassphrase() { return const_cast<char*>(kNoPassphrase); }

// The first of the file. gRPC would find out only when a client comes that there is none.
absl::StatusOr<Certificate> ParseCertificate(const PemFile& pem, const std::string& text) {
  Certificate certificate(PEM_read_bio_X509(Reader(text).get(), nullptr, nullptr, NoPassphrase()),
                          &X509_free);
  if (certificate == nullptr) return pem.Error("no certificate in it");
  return certificate;
}

absl::StatusOr<std::string> ReadAuthority(const PemFile& authority) {
  WINDOWKV_ASSIGN_OR_RETURN(std::string text, ReadPem(authority));
  const auto certificate = ParseCertificate(authority, text);
  if (!certificate.ok()) return certificate.status();
  return text;
}

struct KeyPair {
  std::string key;
  std::string certificate;
};

absl::StatusOr<KeyPair> ReadKeyPair(const PemFile& certificate_file, const PemFile& key_file) {
  if (certificate_file.path.empty() || key_file.path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS needs both ", certificate_file.flag, " and ", key_file.flag));
  }
  KeyPair pair;
  WINDOWKV_ASSIGN_OR_RETURN(pair.certificate, ReadPem(certificate_file));
  WINDOWKV_ASSIGN_OR_RETURN(pair.key, ReadPem(key_file));
  WINDOWKV_ASSIGN_OR_RETURN(const Certificate certificate,
                            ParseCertificate(certificate_file, pair.certificate));
  const Key key(PEM_read_bio_PrivateKey(Reader(pair.key).get(), nullptr, nullptr, NoPassphrase()),
                &EVP_PKEY_free);
  if (key == nullptr) return key_file.Error("no private key in it that needs no passphrase");
  if (X509_check_private_key(certificate.get(), key.get()) == 1) return pair;
  return key_file.Error(absl::StrCat("not the key of the certificate in ", certificate_file.path));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files) {
  if (files.certificate_file.empty() && files.key_file.empty() && files.client_ca_file.empty()) {
    return grpc::InsecureServerCredentials();
  }
  WINDOWKV_ASSIGN_OR_RETURN(KeyPair pair, ReadKeyPair({"--tls-cert", files.certificate_file},
                                                      {"--tls-key", files.key_file}));
  grpc::SslServerCredentialsOptions options(
      files.client_ca_file.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                   : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back({std::move(pair.key), std::move(pair.certificate)});
  if (!files.client_ca_file.empty()) {
    WINDOWKV_ASSIGN_OR_RETURN(options.pem_root_certs,
                              ReadAuthority({"--tls-client-ca", files.client_ca_file}));
  }
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakePeerCredentials(
    const PeerTlsFiles& files) {
  const bool has_pair = !files.certificate_file.empty() || !files.key_file.empty();
  if (files.authority_file.empty()) {
    if (!has_pair) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError("--backend-tls-cert needs --backend-tls-ca");
  }
  grpc::SslCredentialsOptions options;
  WINDOWKV_ASSIGN_OR_RETURN(options.pem_root_certs,
                            ReadAuthority({"--backend-tls-ca", files.authority_file}));
  if (has_pair) {
    WINDOWKV_ASSIGN_OR_RETURN(KeyPair pair,
                              ReadKeyPair({"--backend-tls-cert", files.certificate_file},
                                          {"--backend-tls-key", files.key_file}));
    options.pem_private_key = std::move(pair.key);
    options.pem_cert_chain = std::move(pair.certificate);
  }
  return grpc::SslCredentials(options);
}

}  // namespace windowkv
