# ccache makes a rebuild of the LibTorch files take seconds instead of minutes.
find_program(WINDOWKV_CCACHE ccache)
if(WINDOWKV_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WINDOWKV_CCACHE})
endif()
