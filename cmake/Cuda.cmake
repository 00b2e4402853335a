# The CUDA preset: kernels compiled by nvcc for Hopper, programs linked with LibTorch's CUDA part.
# Nothing here needs a GPU; deploy/install_dependencies.sh --cuda brings compiler and libraries.
option(WINDOWKV_CUDA "Build the engine for NVIDIA GPUs too" OFF)
if(NOT WINDOWKV_CUDA)
  return()
endif()

set(WINDOWKV_CUDA_DIR ${WINDOWKV_DEPS_DIR}/cuda CACHE PATH "The CUDA toolkit")
if(NOT EXISTS ${WINDOWKV_CUDA_DIR}/bin/nvcc)
  message(FATAL_ERROR "nvcc is missing in ${WINDOWKV_CUDA_DIR}: run deploy/install_dependencies.sh --cuda")
endif()
set(CMAKE_CUDA_COMPILER ${WINDOWKV_CUDA_DIR}/bin/nvcc)
set(CMAKE_CUDA_ARCHITECTURES 90-real)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
enable_language(CUDA)
# CMake 3.25 does not know that this nvcc takes C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)

add_library(LibTorch::cudart SHARED IMPORTED)
set_target_properties(LibTorch::cudart PROPERTIES
  IMPORTED_LOCATION ${WINDOWKV_LIBTORCH_DIR}/../nvidia/cu13/lib/libcudart.so.13)
add_library(LibTorch::c10_cuda SHARED IMPORTED)
set_target_properties(LibTorch::c10_cuda PROPERTIES
  IMPORTED_LOCATION ${WINDOWKV_CUDA_DIR}/torch/libc10_cuda.so)
add_library(LibTorch::torch_cuda SHARED IMPORTED)
# Operations register themselves when the library is loaded, so it must be even where no symbol of
# it is used. What it links itself is where the program runs, not here.
set_target_properties(LibTorch::torch_cuda PROPERTIES
  IMPORTED_LOCATION ${WINDOWKV_CUDA_DIR}/torch/libtorch_cuda.so
  INTERFACE_COMPILE_OPTIONS "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter \"${WINDOWKV_CUDA_DIR}/include\">"
  INTERFACE_LINK_LIBRARIES "LibTorch::c10_cuda;LibTorch::cudart"
  INTERFACE_LINK_OPTIONS "-Wl,--unresolved-symbols=ignore-in-shared-libs;-Wl,--no-as-needed")
