# windowkv_library(NAME SOURCES ... PUBLIC ... PRIVATE ...): one library per folder.
# windowkv_executable(NAME SOURCES ... LIBRARIES ...): a program in build/<preset>/bin.
# windowkv_test(NAME SOURCES ... LIBRARIES ... [ENVIRONMENT ...] [LABELS ...]): a GoogleTest program.
# All of them treat warnings as errors, and include by repository path.
set(WINDOWKV_SANITIZE "" CACHE STRING "Value for -fsanitize, empty for none")
option(WINDOWKV_FUZZ "Build the libFuzzer programs of tests/fuzz instead of the tests (clang)" OFF)

add_library(windowkv_build_options INTERFACE)
target_include_directories(windowkv_build_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(windowkv_build_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Werror;-Wno-unused-parameter>
  $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;--Werror=all-warnings>)
if(WINDOWKV_SANITIZE)
  # GCC takes the standard library's own code for uninitialized once it is instrumented.
  target_compile_options(windowkv_build_options INTERFACE
    -fsanitize=${WINDOWKV_SANITIZE} -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>)
  target_link_options(windowkv_build_options INTERFACE -fsanitize=${WINDOWKV_SANITIZE})
endif()

function(windowkv_library NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(windowkv_${NAME} STATIC ${ARG_SOURCES})
  add_library(windowkv::${NAME} ALIAS windowkv_${NAME})
  target_link_libraries(windowkv_${NAME} PUBLIC ${ARG_PUBLIC} PRIVATE windowkv_build_options ${ARG_PRIVATE})
  target_include_directories(windowkv_${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

function(windowkv_executable NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE windowkv_build_options ${ARG_LIBRARIES})
endfunction()

# ThreadSanitizer can not see how the threads of GCC's OpenMP runtime wait for one another. LLVM's has the
# same entry points and says so, through Archer; without it, regions run on one thread.
set(WINDOWKV_THREAD_SANITIZER_ENVIRONMENT "")
if(WINDOWKV_SANITIZE STREQUAL "thread")
  file(GLOB LLVM_LIBRARIES LIST_DIRECTORIES true /usr/lib/llvm-*/lib)
  find_file(WINDOWKV_LIBOMP libomp.so.5 PATHS ${LLVM_LIBRARIES})
  find_file(WINDOWKV_ARCHER libarcher.so PATHS ${LLVM_LIBRARIES})
  if(WINDOWKV_LIBOMP AND WINDOWKV_ARCHER)
    set(WINDOWKV_THREAD_SANITIZER_ENVIRONMENT LD_PRELOAD=${WINDOWKV_LIBOMP}
      OMP_TOOL_LIBRARIES=${WINDOWKV_ARCHER} TSAN_OPTIONS=ignore_noninstrumented_modules=1)
  else()
    set(WINDOWKV_THREAD_SANITIZER_ENVIRONMENT OMP_NUM_THREADS=1)
  endif()
endif()

function(windowkv_test NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES;ENVIRONMENT;LABELS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${NAME} PRIVATE windowkv_build_options ${ARG_LIBRARIES} GTest::gmock GTest::gtest_main)
  add_test(NAME ${NAME} COMMAND ${NAME})
  set_tests_properties(${NAME} PROPERTIES
    # A processor with short vectors, and instrumented code, run several times as long as others.
    TIMEOUT 1800
    # Tests share the processor: an idle parallel region must not spin.
    ENVIRONMENT "OMP_WAIT_POLICY=passive;WINDOWKV_SOURCE_DIR=${CMAKE_SOURCE_DIR};WINDOWKV_BIN_DIR=${CMAKE_BINARY_DIR}/bin;${WINDOWKV_THREAD_SANITIZER_ENVIRONMENT};${ARG_ENVIRONMENT}")
  if(ARG_LABELS)
    set_tests_properties(${NAME} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()
