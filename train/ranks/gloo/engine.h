// The part of Gloo that package gloo calls, in C.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GLOO_TEXT = 512 };

// What became of a call: 0 is good, 1 any failure, 2 that a peer is gone.
typedef struct {
  int code;
  char text[GLOO_TEXT];
} gloo_status;

// store is a handle of the Go side, which answers gotrainGlooSet and gotrainGlooGet.
// Each pair of ranks has connecting_ms to connect, a collective timeout_ms.
void* gloo_open(uintptr_t store, const char* host, int rank, int size, int64_t connecting_ms, int64_t timeout_ms,
                gloo_status* status);
void gloo_all_reduce(void* group, float* x, size_t n, gloo_status* status);
void gloo_reduce(void* group, float* x, size_t n, int root, gloo_status* status);
void gloo_broadcast(void* group, char* x, size_t n, int root, gloo_status* status);
void gloo_all_gather(void* group, char* dst, char* src, size_t n, gloo_status* status);
void gloo_barrier(void* group, gloo_status* status);
void gloo_abort(void* group);
void gloo_close(void* group);

#ifdef __cplusplus
}
#endif
