// api.h: cuda.h with its functions exported from libcuda.so.1; everything else in it is hidden.
#pragma once
#pragma GCC visibility push(default)
#include <cuda.h>
#pragma GCC visibility pop
