// Collective operations by NCCL: one call from Go each.
#ifndef GOTRAIN_NCCL_RANK_H
#define GOTRAIN_NCCL_RANK_H

#include <cuda.h>
#include <stdint.h>

#include "abi/nccl.h"

// Why a call failed.
typedef struct {
  int status;        // ncclResult_t, or ABI_MISSING_LIBRARY
  const char* call;  // "ncclAllReduce"; a literal
  const char* name;  // "ncclInvalidUsage"; a literal
  char text[512];
} nccl_error;

// A rank of a communicator.
typedef struct {
  CUcontext context;
  ncclComm_t comm;
  nccl_error error;  // of the last collective
} nccl_rank;

typedef enum { NCCL_ALL_REDUCE, NCCL_REDUCE_SCATTER, NCCL_ALL_GATHER, NCCL_BROADCAST, NCCL_REDUCE } nccl_kind;

// Each returns error->status, 0 for success.
int nccl_unique_id(char id[NCCL_UNIQUE_ID_BYTES], nccl_error* error);
int nccl_open(CUcontext context, const char id[NCCL_UNIQUE_ID_BYTES], int rank, int size, nccl_rank** out,
              nccl_error* error);
int nccl_async_error(nccl_rank* rank, nccl_error* error);
int nccl_close(nccl_rank* rank, int abort, nccl_error* error);
int nccl_group_start(nccl_error* error);
int nccl_group_end(nccl_error* error);

// Queues a collective on a stream; returns an ncclResult_t and tells the rest in rank->error. op and root are ignored
// where the kind has none.
int nccl_collective(nccl_rank* rank, nccl_kind kind, CUstream stream, uint64_t recv, uint64_t send, uint64_t count,
                    int type, int op, int root);

#endif
