# The packages named in deploy/install_dependencies.sh, as imported targets.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED) # module mode: the Debian package has no usable config file
find_package(absl CONFIG REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

set(WINDOWKV_DEPS_DIR ${CMAKE_SOURCE_DIR}/.deps CACHE PATH
    "Where deploy/install_dependencies.sh puts what is not a Debian package")
