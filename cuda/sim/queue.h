// What the simulated libraries use of the simulated driver; libcuda.so.1 exports it beside the driver API.
#pragma once

#include <cstddef>

extern "C" {

// Queues work on a stream (CUstream; null: the default stream) of the calling thread's current context, or adds a node
// to the graph that the stream is capturing into. `run` is called once for each execution, so many times for a graph;
// `drop` is called once, when the work can no longer run. Returns a CUresult; on failure neither is called.
int sim_enqueue(void* stream, void (*run)(void*), void* arg, void (*drop)(void*));

// Reports whether [address, address + bytes) lies inside one live device allocation.
int sim_check_range(const void* address, size_t bytes);

int cuCtxGetCurrent(void** context);

}
