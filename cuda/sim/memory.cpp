// memory.cpp: allocation, copies and fills.
//
// Copies and fills must lie within one allocation.
#include "accesses.h"
#include "extension.h"
#include "pages.h"
#include "runtime.h"
#include "settings.h"

namespace sim {

namespace {

void* host(CUdeviceptr p) { return reinterpret_cast<void*>(p); }

CUresult allocate(Call& call, CUdeviceptr* p, size_t bytes) {
  if (bytes == 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (bytes > settings().memory - call.context->used) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  void* memory = acquire(bytes);
  if (memory == nullptr) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  call.context->used += bytes;
  *p = reinterpret_cast<CUdeviceptr>(memory);
  call.runtime.allocations[*p] = {bytes, call.context};
  return CUDA_SUCCESS;
}

void release(Runtime& runtime, CUdeviceptr p) {
  const auto i = runtime.allocations.find(p);
  if (i == runtime.allocations.end()) {
    return;  // the context has been destroyed meanwhile
  }
  if (i->second.context != nullptr) {
    i->second.context->used -= i->second.bytes;
  }
  accesses_forget(host(p));
  give_back(host(p), i->second.bytes);
  runtime.allocations.erase(i);
}

bool is_allocation(Call& call, CUdeviceptr p, bool pinned) {
  const auto i = call.runtime.allocations.find(p);
  return i != call.runtime.allocations.end() && (i->second.context == nullptr) == pinned;
}

CUresult check_range(Call& call, const char* what, CUdeviceptr p, size_t bytes) {
  const Allocation* a = find(call, p, bytes);
  if (a == nullptr || a->context == nullptr) {
    return complain(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes at 0x%llx are not within one allocation", what, bytes, p);
  }
  return CUDA_SUCCESS;
}

bool is_pinned(Call& call, const void* p, size_t bytes) {
  const Allocation* a = find(call, reinterpret_cast<CUdeviceptr>(p), bytes);
  return a != nullptr && a->context == nullptr;
}

CUresult refuse_pageable(CUstream stream, const char* what) {
  if (stream->capture == nullptr) {
    return CUDA_SUCCESS;
  }
  stream->capture->invalid = true;
  return complain(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "%s: pageable memory in a capture", what);
}

CUresult copy_within(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream s) {
  Call call;
  CUresult error = call.error();
  if (!error) {
    error = check_range(call, "copy to", to, bytes);
  }
  if (!error) {
    error = check_range(call, "copy from", from, bytes);
  }
  if (error) {
    return error;
  }
  return issue_work(call, call.stream(s), CU_GRAPH_NODE_TYPE_MEMCPY, [=] {
    memmove(host(to), host(from), bytes);
    return CUDA_SUCCESS;
  });
}

template <class T>
CUresult set(CUdeviceptr p, T value, size_t count, CUstream s) {
  Call call;
  CUresult error = call.error();
  if (!error) {
    error = check_range(call, "fill", p, count * sizeof(T));
  }
  if (!error && p % sizeof(T) != 0) {
    error = CUDA_ERROR_INVALID_VALUE;
  }
  if (error) {
    return error;
  }
  return issue_work(call, call.stream(s), CU_GRAPH_NODE_TYPE_MEMSET, [=] {
    if (sizeof(T) == 1 || value == 0) {
      fill(host(p), static_cast<unsigned char>(value), count * sizeof(T));
    } else {
      std::fill_n(static_cast<T*>(host(p)), count, value);
    }
    return CUDA_SUCCESS;
  });
}

}  // namespace

const Allocation* find(Call& call, CUdeviceptr p, size_t bytes) {
  auto i = call.runtime.allocations.upper_bound(p);
  if (i == call.runtime.allocations.begin()) {
    return nullptr;
  }
  --i;
  const size_t offset = p - i->first;
  return offset <= i->second.bytes && bytes <= i->second.bytes - offset ? &i->second : nullptr;
}

}  // namespace sim

using namespace sim;

int cudasimIsDevice(CUdeviceptr p, size_t bytes) {
  Call call;
  const Allocation* a = find(call, p, bytes);
  return a != nullptr && a->context != nullptr;
}

CUresult cuMemGetInfo(size_t* available, size_t* total) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  *total = settings().memory;
  *available = settings().memory - call.context->used;
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr* p, size_t bytes) {
  Call call;
  const CUresult error = call.error();
  return error ? error : allocate(call, p, bytes);
}

// Virtual GPUs have no pools of memory: neither has this device.
static CUresult no_pools(const char* what) {
  return complain(CUDA_ERROR_NOT_SUPPORTED, "%s: the device has no memory pools", what);
}
CUresult cuMemAllocAsync(CUdeviceptr*, size_t, CUstream) { return no_pools("cuMemAllocAsync"); }
CUresult cuMemFreeAsync(CUdeviceptr, CUstream) { return no_pools("cuMemFreeAsync"); }
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool*, CUdevice) { return no_pools("cuDeviceGetDefaultMemPool"); }

CUresult cuMemFree(CUdeviceptr p) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (p == 0) {
    return CUDA_SUCCESS;
  }
  if (!is_allocation(call, p, false)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const CUresult error = drain(call, call.context);
  release(call.runtime, p);
  return error;
}

CUresult cuMemHostAlloc(void** p, size_t bytes, unsigned) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (bytes == 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *p = acquire(bytes);
  if (*p == nullptr) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  call.runtime.allocations[reinterpret_cast<CUdeviceptr>(*p)] = {bytes, nullptr};
  return CUDA_SUCCESS;
}

CUresult cuMemAllocHost(void** p, size_t bytes) { return cuMemHostAlloc(p, bytes, 0); }

CUresult cuMemFreeHost(void* p) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (!is_allocation(call, reinterpret_cast<CUdeviceptr>(p), true)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const CUresult error = drain(call, call.context);
  release(call.runtime, reinterpret_cast<CUdeviceptr>(p));
  return error;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream s) {
  Call call;
  CUresult error = call.error();
  if (!error) {
    error = check_range(call, "copy to", to, bytes);
  }
  if (error) {
    return error;
  }
  CUstream stream = call.stream(s);
  if (is_pinned(call, from, bytes)) {  // read when the stream gets there
    return issue_work(call, stream, CU_GRAPH_NODE_TYPE_MEMCPY, [=] {
      memcpy(host(to), from, bytes);
      return CUDA_SUCCESS;
    });
  }
  if ((error = refuse_pageable(stream, "cuMemcpyHtoDAsync"))) {
    return error;
  }
  const char* first = static_cast<const char*>(from);
  auto staged = std::make_shared<std::vector<char>>(first, first + bytes);
  return issue_work(call, stream, CU_GRAPH_NODE_TYPE_MEMCPY, [=] {
    memcpy(host(to), staged->data(), bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream s) {
  Call call;
  CUresult error = call.error();
  if (!error) {
    error = check_range(call, "copy from", from, bytes);
  }
  if (error) {
    return error;
  }
  CUstream stream = call.stream(s);
  const bool pinned = is_pinned(call, to, bytes);
  if (!pinned && (error = refuse_pageable(stream, "cuMemcpyDtoHAsync"))) {
    return error;
  }
  error = issue_work(call, stream, CU_GRAPH_NODE_TYPE_MEMCPY, [=] {
    memcpy(to, host(from), bytes);
    return CUDA_SUCCESS;
  });
  return error || pinned ? error : drain(call, stream);
}

CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream s) {
  return copy_within(to, from, bytes, s);
}
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t bytes, CUstream s) {
  return copy_within(to, from, bytes, s);
}
CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy_within(to, from, bytes, nullptr); }

CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
  const CUresult error = cuMemcpyHtoDAsync(to, from, bytes, nullptr);
  return error ? error : cuStreamSynchronize(nullptr);
}
CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
  const CUresult error = cuMemcpyDtoHAsync(to, from, bytes, nullptr);
  return error ? error : cuStreamSynchronize(nullptr);
}

CUresult cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, CUstream s) { return set<uint8_t>(p, v, n, s); }
CUresult cuMemsetD16Async(CUdeviceptr p, unsigned short v, size_t n, CUstream s) { return set<uint16_t>(p, v, n, s); }
CUresult cuMemsetD32Async(CUdeviceptr p, unsigned v, size_t n, CUstream s) { return set<uint32_t>(p, v, n, s); }
CUresult cuMemsetD8(CUdeviceptr p, unsigned char v, size_t n) { return set<uint8_t>(p, v, n, nullptr); }
CUresult cuMemsetD16(CUdeviceptr p, unsigned short v, size_t n) { return set<uint16_t>(p, v, n, nullptr); }
CUresult cuMemsetD32(CUdeviceptr p, unsigned v, size_t n) { return set<uint32_t>(p, v, n, nullptr); }
