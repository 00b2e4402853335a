#include "server/rpc/tls_credentials.h"

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "server/rpc/server_process.h"
#include "tests/server/rpc/self_signed_certificate.h"

namespace windowkv {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;
using ::windowkv::testing::MakeSelfSignedCertificate;
using ::windowkv::testing::SelfSignedCertificate;

std::string WriteFile(const std::string& name, const std::string& text) {
  std::string path = ::testing::TempDir() + "/tls_credentials_test_" + name;
  std::ofstream(path) << text;
  return path;
}

class TlsCredentialsTest : public ::testing::Test {
 protected:
  TlsCredentialsTest()
      : server_(MakeSelfSignedCertificate("localhost")),
        client_(MakeSelfSignedCertificate("a client")) {
    files_.certificate_file = WriteFile("cert.pem", server_.certificate_pem);
    files_.key_file = WriteFile("key.pem", server_.key_pem);
  }

  absl::StatusOr<std::unique_ptr<ServerProcess>> Start() const {
    ServerOptions options;
    options.program = "windowkv-test";
    options.listen = {"127.0.0.1", 0};
    options.tls = files_;
    return ServerProcess::Start(options, ServedProgram(), Logger::Silent());
  }

  static grpc::StatusCode Check(const ServerProcess& process,
                                const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    auto stub = Health::NewStub(
        grpc::CreateCustomChannel(process.address().ToString(), credentials, arguments));
    grpc::ClientContext context;
    HealthCheckResponse response;
    return stub->Check(&context, HealthCheckRequest(), &response).error_code();
  }

  // Trusts the server; without a certificate of its own unless `client` is given.
  std::shared_ptr<grpc::ChannelCredentials> ClientCredentials(
      const SelfSignedCertificate& client = {}) const {
    return grpc::SslCredentials({server_.certificate_pem, client.key_pem, client.certificate_pem});
  }

  const SelfSignedCertificate server_;
  const SelfSignedCertificate client_;
  TlsFiles files_;
};

TEST_F(TlsCredentialsTest, ClientsThatTrustTheCertificateGetIn) {
  const auto process = Start();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(Check(**process, ClientCredentials()), grpc::StatusCode::OK);
  EXPECT_EQ(Check(**process, grpc::InsecureChannelCredentials()), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsCredentialsTest, WithAClientAuthorityOnlyItsClientsGetIn) {
  files_.client_ca_file = WriteFile("client_ca.pem", client_.certificate_pem);
  const auto process = Start();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(Check(**process, ClientCredentials(client_)), grpc::StatusCode::OK);
  EXPECT_EQ(Check(**process, ClientCredentials()), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Check(**process, ClientCredentials(MakeSelfSignedCertificate("a stranger"))),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsCredentialsTest, APeerGetsInWithItsCertificateWhenItTrustsTheServers) {
  files_.client_ca_file = WriteFile("peer_ca.pem", client_.certificate_pem);
  const auto process = Start();
  ASSERT_TRUE(process.ok()) << process.status();
  PeerTlsFiles peer = {.authority_file = files_.certificate_file,
                       .certificate_file = WriteFile("peer_cert.pem", client_.certificate_pem),
                       .key_file = WriteFile("peer_key.pem", client_.key_pem)};
  EXPECT_EQ(Check(**process, *MakePeerCredentials(peer)), grpc::StatusCode::OK);
  EXPECT_EQ(Check(**process, *MakePeerCredentials({.authority_file = files_.certificate_file})),
            grpc::StatusCode::UNAVAILABLE);
  peer.authority_file = files_.client_ca_file;
  EXPECT_EQ(Check(**process, *MakePeerCredentials(peer)), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsCredentialsTest, APeersBadFilesAreNamed) {
  const std::string& cert = files_.certificate_file;
  const std::pair<PeerTlsFiles, std::string> cases[] = {
      {{.authority_file = "/no/such.pem"}, "--backend-tls-ca: cannot read /no/such.pem"},
      {{.authority_file = files_.key_file}, "--backend-tls-ca: " + files_.key_file},
      {{.certificate_file = cert}, "--backend-tls-ca"},
      {{.authority_file = cert, .certificate_file = cert}, "--backend-tls-key"},
      {{.authority_file = cert, .certificate_file = cert, .key_file = cert},
       "--backend-tls-key: " + cert}};
  for (const auto& [files, named] : cases) {
    const absl::Status status = MakePeerCredentials(files).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
  }
}

TEST_F(TlsCredentialsTest, AKeyOfAnotherCertificateKeepsTheServerFromStarting) {
  files_.key_file = WriteFile("other_key.pem", client_.key_pem);
  const absl::Status status = Start().status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("--tls-key: " + files_.key_file));
  EXPECT_THAT(std::string(status.message()), HasSubstr(files_.certificate_file));
}

TEST_F(TlsCredentialsTest, PemFilesWithoutWhatTheyAreForAreNamed) {
  const std::string empty_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const std::string empty = WriteFile("empty.pem", empty_pem);
  const std::pair<std::string TlsFiles::*, std::string> cases[] = {
      {&TlsFiles::certificate_file, "--tls-cert: "},
      {&TlsFiles::key_file, "--tls-key: "},
      {&TlsFiles::client_ca_file, "--tls-client-ca: "}};
  for (const auto& [file, flag] : cases) {
    TlsFiles files = files_;
    files.*file = empty;
    const absl::Status status = MakeServerCredentials(files).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(flag + empty));
  }
}

TEST_F(TlsCredentialsTest, FilesThatAreMissingOrNotPemAreNamed) {
  struct Case {
    TlsFiles files;
    absl::StatusCode code;
    std::string named;
  };
  const std::string not_pem = WriteFile("not.pem", "nonsense");
  const Case cases[] = {
      {{"cert.pem", "", ""}, absl::StatusCode::kInvalidArgument, "--tls-key"},
      {{"", "", "ca.pem"}, absl::StatusCode::kInvalidArgument, "--tls-cert"},
      {{"/no/such/cert.pem", "key.pem", ""}, absl::StatusCode::kNotFound, "/no/such/cert.pem"},
      {{not_pem, not_pem, ""}, absl::StatusCode::kInvalidArgument, not_pem},
  };
  for (const Case& c : cases) {
    const auto credentials = MakeServerCredentials(c.files);
    EXPECT_EQ(credentials.status().code(), c.code) << credentials.status();
    EXPECT_THAT(std::string(credentials.status().message()), HasSubstr(c.named));
  }
}

}  // namespace
}  // namespace windowkv
