# LibTorch's CPU part as one imported target, LibTorch::torch_cpu.
#
# find_package(Torch) insists on a CUDA toolkit even for a CPU program, so the targets are written
# here. The headers go in as -idirafter: torch/include carries a google/protobuf of its own (3.13),
# which would otherwise shadow the one that our generated code needs.
set(WINDOWKV_LIBTORCH_DIR ${WINDOWKV_DEPS_DIR}/libtorch/torch)
if(NOT EXISTS ${WINDOWKV_LIBTORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is missing in ${WINDOWKV_LIBTORCH_DIR}: run deploy/install_dependencies.sh")
endif()

add_library(LibTorch::c10 SHARED IMPORTED)
set_target_properties(LibTorch::c10 PROPERTIES
  IMPORTED_LOCATION ${WINDOWKV_LIBTORCH_DIR}/lib/libc10.so)

# The wheel's own OpenMP runtime: kernels that open parallel regions must share its thread pool.
add_library(LibTorch::gomp SHARED IMPORTED)
set_target_properties(LibTorch::gomp PROPERTIES
  IMPORTED_LOCATION ${WINDOWKV_LIBTORCH_DIR}/lib/libgomp.so.1)

add_library(LibTorch::torch_cpu SHARED IMPORTED)
set_target_properties(LibTorch::torch_cpu PROPERTIES
  IMPORTED_LOCATION ${WINDOWKV_LIBTORCH_DIR}/lib/libtorch_cpu.so
  INTERFACE_COMPILE_OPTIONS
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter \"${WINDOWKV_LIBTORCH_DIR}/include\">;$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-isystem \"${WINDOWKV_LIBTORCH_DIR}/include\">"
  INTERFACE_LINK_LIBRARIES "LibTorch::c10;LibTorch::gomp"
  INTERFACE_LINK_OPTIONS
    "-Wl,-rpath-link,${WINDOWKV_DEPS_DIR}/libtorch/nvidia/cu13/lib")
