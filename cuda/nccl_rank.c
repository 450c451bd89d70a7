//go:build gpu

#include "nccl_rank.h"

#include <stdlib.h>
#include <string.h>

static const char* result_name(int status) {
  switch (status) {
    case ncclUnhandledCudaError:
      return "ncclUnhandledCudaError";
    case ncclSystemError:
      return "ncclSystemError";
    case ncclInternalError:
      return "ncclInternalError";
    case ncclInvalidArgument:
      return "ncclInvalidArgument";
    case ncclInvalidUsage:
      return "ncclInvalidUsage";
    case ncclRemoteError:
      return "ncclRemoteError";
    case ncclInProgress:
      return "ncclInProgress";
    case ABI_MISSING_LIBRARY:
      return "function not found";
  }
  return "unknown NCCL result";
}

// Notes the outcome of a call. The text is read at once: on the thread that made the call.
static int outcome(nccl_error* error, const char* call, ncclResult_t status, ncclComm_t comm) {
  error->status = status;
  if (status == ncclSuccess) return 0;
  error->call = call;
  error->name = result_name(status);
  const char* general = ncclGetErrorString(status);
  const char* particular = ncclGetLastError(comm);
  const size_t room = sizeof error->text - 1;
  strncpy(error->text, general ? general : "libnccl.so.2 of NCCL 2.10 or later is needed", room);
  error->text[room] = 0;
  if (particular && *particular) {
    strncat(error->text, ": ", room - strlen(error->text));
    strncat(error->text, particular, room - strlen(error->text));
  }
  return status;
}

static int enter(CUcontext context, nccl_error* error) {
  if (cuCtxSetCurrent(context) == CUDA_SUCCESS) return 0;
  return outcome(error, "cuCtxSetCurrent", ncclUnhandledCudaError, NULL);
}

int nccl_unique_id(char id[NCCL_UNIQUE_ID_BYTES], nccl_error* error) {
  ncclUniqueId unique;
  if (outcome(error, "ncclGetUniqueId", ncclGetUniqueId(&unique), NULL)) return error->status;
  memcpy(id, unique.internal, sizeof unique.internal);
  return 0;
}

int nccl_open(CUcontext context, const char id[NCCL_UNIQUE_ID_BYTES], int rank, int size, nccl_rank** out,
              nccl_error* error) {
  if (enter(context, error)) return error->status;
  ncclUniqueId unique;
  memcpy(unique.internal, id, sizeof unique.internal);
  ncclComm_t comm = NULL;
  if (outcome(error, "ncclCommInitRank", ncclCommInitRank(&comm, size, unique, rank), NULL)) return error->status;
  nccl_rank* r = calloc(1, sizeof *r);
  r->context = context;
  r->comm = comm;
  *out = r;
  return 0;
}

int nccl_async_error(nccl_rank* rank, nccl_error* error) {
  ncclResult_t status = ncclSuccess;
  const char* call = "ncclCommGetAsyncError";
  if (outcome(error, call, ncclCommGetAsyncError(rank->comm, &status), rank->comm)) return error->status;
  return outcome(error, call, status, rank->comm);
}

int nccl_close(nccl_rank* rank, int abort, nccl_error* error) {
  if (!enter(rank->context, error)) {
    if (abort) {
      outcome(error, "ncclCommAbort", ncclCommAbort(rank->comm), NULL);
    } else {
      outcome(error, "ncclCommDestroy", ncclCommDestroy(rank->comm), NULL);
    }
  }
  return error->status;
}

int nccl_group_start(nccl_error* error) { return outcome(error, "ncclGroupStart", ncclGroupStart(), NULL); }

int nccl_group_end(nccl_error* error) { return outcome(error, "ncclGroupEnd", ncclGroupEnd(), NULL); }

int nccl_collective(nccl_rank* r, nccl_kind kind, CUstream stream, uint64_t recv, uint64_t send, uint64_t count,
                    int type, int op, int root) {
  if (enter(r->context, &r->error)) return r->error.status;
  const void* from = (const void*)send;
  void* to = (void*)recv;
  switch (kind) {
    case NCCL_ALL_REDUCE:
      return outcome(&r->error, "ncclAllReduce", ncclAllReduce(from, to, count, type, op, r->comm, stream), r->comm);
    case NCCL_REDUCE_SCATTER:
      return outcome(&r->error, "ncclReduceScatter", ncclReduceScatter(from, to, count, type, op, r->comm, stream),
                     r->comm);
    case NCCL_ALL_GATHER:
      return outcome(&r->error, "ncclAllGather", ncclAllGather(from, to, count, type, r->comm, stream), r->comm);
    case NCCL_BROADCAST:
      return outcome(&r->error, "ncclBroadcast", ncclBroadcast(from, to, count, type, root, r->comm, stream), r->comm);
    case NCCL_REDUCE:
      return outcome(&r->error, "ncclReduce", ncclReduce(from, to, count, type, op, root, r->comm, stream), r->comm);
  }
  return outcome(&r->error, "nccl_collective", ncclInvalidArgument, NULL);
}
