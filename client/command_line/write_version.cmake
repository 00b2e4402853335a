# Writes HEADER with kClientVersion: VERSION and the commit of SOURCE_DIR.
cmake_minimum_required(VERSION 3.25)
execute_process(
  COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT COMMIT)
  set(COMMIT "unknown")
endif()
file(CONFIGURE OUTPUT ${HEADER} @ONLY CONTENT
"#pragma once\ninline constexpr char kClientVersion[] = \"@VERSION@ (commit @COMMIT@)\";\n")
