// The part of MPI that package mpi calls. Its handles are macros, which Go cannot
// name. All functions return MPI's error codes.
#pragma once

#include <mpi.h>
#include <signal.h>
#include <stddef.h>

// engine_open starts MPI. MPI may put its own handlers, which print a stack, in
// the place of the Go runtime's; a nil dereference would then end the process
// instead of being a panic. So they are put back.
static int engine_open(int* rank, int* size) {
  static const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
  enum { COUNT = sizeof signals / sizeof signals[0] };
  struct sigaction handlers[COUNT];
  for (int i = 0; i < COUNT; i++) {
    sigaction(signals[i], NULL, &handlers[i]);
  }
  int level = 0;
  int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
  for (int i = 0; i < COUNT; i++) {
    sigaction(signals[i], &handlers[i], NULL);
  }
  if (code == MPI_SUCCESS && level < MPI_THREAD_FUNNELED) {
    code = MPI_ERR_OTHER;
  }
  if (code == MPI_SUCCESS) {
    code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  if (code == MPI_SUCCESS) {
    code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
  }
  if (code == MPI_SUCCESS) {
    code = MPI_Comm_size(MPI_COMM_WORLD, size);
  }
  return code;
}

static int engine_all_reduce(float* x, int n) {
  return MPI_Allreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

static int engine_reduce(float* x, int n, int root, int is_root) {
  const void* from = is_root ? MPI_IN_PLACE : x;
  return MPI_Reduce(from, x, n, MPI_FLOAT, MPI_SUM, root, MPI_COMM_WORLD);
}

static int engine_broadcast(char* x, int n, int root) { return MPI_Bcast(x, n, MPI_BYTE, root, MPI_COMM_WORLD); }

static int engine_all_gather(char* dst, const char* src, int n) {
  return MPI_Allgather(src, n, MPI_BYTE, dst, n, MPI_BYTE, MPI_COMM_WORLD);
}

static int engine_barrier(void) { return MPI_Barrier(MPI_COMM_WORLD); }
