/* extension.h: what libcuda.so.1 of the simulator exports beside CUDA's driver API, for the fake cuBLASLt and NCCL. */
#pragma once
#include "api.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Puts an operation into a stream, in order with its other work; while the stream is captured, it becomes a node of the
 * graph and is executed at each launch. When its turn comes, ready(data) is called, again and again while it returns 0
 * (NULL: always ready); then run(data), whose CUDA error becomes the context's. release(data) is called once, when the
 * operation will not run again. None of them may call CUDA. The lock of the simulator is held during all three. */
__attribute__((visibility("default"))) CUresult cudasimEnqueue(CUstream stream, int (*ready)(void* data),
                                                               int (*run)(void* data), void (*release)(void* data),
                                                               void* data);

/* Lets streams that wait for ready try again. To be called without the lock, when something outside has changed. */
__attribute__((visibility("default"))) void cudasimNotify(void);

/* 1 when the bytes from p on lie within one allocation of device memory. */
__attribute__((visibility("default"))) int cudasimIsDevice(CUdeviceptr p, size_t bytes);

/* Adds to the number of ranks of this process that communicate with others, and returns it. */
__attribute__((visibility("default"))) int cudasimRanks(int change);

/* Moves the clock that events read by what CUDASIM_TIMES plants for a piece of work of this name, when it is executed. The
 * lock is held. */
__attribute__((visibility("default"))) void cudasimTook(const char* name);

/* Prints "cudasim: …" to stderr, as the checks of the simulator do. */
__attribute__((visibility("default"))) void cudasimComplain(const char* format, ...)
    __attribute__((format(printf, 1, 2)));

#ifdef __cplusplus
}
#endif
