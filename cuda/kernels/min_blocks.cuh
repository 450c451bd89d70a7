// min_blocks.cuh: KERNEL for a file that says how many blocks a multiprocessor shall hold, and with that how many registers
// a thread may have: MIN_BLOCKS, defined before this is included, behind everything else. Left to itself, ptxas makes room
// for more blocks in some kernels and spills for it.
#ifndef CUDA_SIM
#undef KERNEL
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads, MIN_BLOCKS) name
#endif
