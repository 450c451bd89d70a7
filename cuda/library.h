// The shared libraries that a program opens while it runs: libcuda, cuBLASLt and NCCL.
//
// The program links against static archives of the same functions, which scripts/cuda/trampolines writes: each function
// jumps through a table. Until its library has been opened, and for a function that the library lacks, the table leads
// to one that returns a fixed status of that library. So one binary starts on machines with and without CUDA.
#pragma once

struct gotrain_library {
  const char *name;      // the archive's: "cuda" of libcuda.a
  int wanted;            // functions that the header declares
  int bound;             // functions that the library has
  char path[4096];       // where it was found; "" when it was not
  char error[1024];      // why not, in the words of the dynamic loader
};

// gotrain_open_NAME opens the library and fills the table when called for the first time; later calls only return the
// result. Any thread may call it. The library is sought by the dynamic loader itself (LD_LIBRARY_PATH, the system's
// folders), then where drivers and toolkits are installed, then in Python environments, whose packages of NVIDIA's
// libraries lie in site-packages/nvidia/*/lib: $VIRTUAL_ENV, $CONDA_PREFIX, ./.venv, the Pythons of $PATH, $HOME/.local,
// /usr and /usr/local.
const struct gotrain_library *gotrain_open_cuda(void);
const struct gotrain_library *gotrain_open_cublasLt(void);
const struct gotrain_library *gotrain_open_nccl(void);
