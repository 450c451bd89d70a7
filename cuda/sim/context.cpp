// context.cpp: start, devices, contexts.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "accesses.h"
#include "pages.h"
#include "runtime.h"
#include "settings.h"

namespace sim {

static uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = getenv(variable);
  return text != nullptr && *text != 0 ? strtoull(text, nullptr, 10) : otherwise;
}

// Shared memory and threads are those of the CUDA Programming Guide's table of compute capabilities, multiprocessors those
// of A100, A10, L40S, H100, B200 and RTX 5090.
static const Chip chips[] = {
    {80, 80, 163 << 10, 164 << 10, 108, 2048, 32}, {86, 80, 99 << 10, 100 << 10, 72, 1536, 16},
    {89, 80, 99 << 10, 100 << 10, 142, 1536, 24},  {90, 90, 227 << 10, 228 << 10, 132, 2048, 32},
    {100, 100, 227 << 10, 228 << 10, 148, 2048, 32}, {120, 80, 99 << 10, 100 << 10, 170, 1536, 24},
};

static const Chip* find_chip(int capability) {
  for (const Chip& chip : chips) {
    if (chip.capability == capability) {
      return &chip;
    }
  }
  fprintf(stderr, "cudasim: CUDASIM_CHIP=%d: the chips are 80, 86, 89, 90, 100 and 120\n", capability);
  exit(2);
}

const Settings& settings() {
  static const Settings s = [] {
    const unsigned processors = std::thread::hardware_concurrency();
    Settings s;
    s.seed = number_from("CUDASIM_SEED", 1);
    s.threads = static_cast<int>(number_from("CUDASIM_THREADS", processors > 0 ? processors : 1));
#if defined(__SANITIZE_ADDRESS__) || defined(CUDASIM_ACCESSES)
    s.threads = 1;
#endif
    s.threads = std::clamp(s.threads, 1, 256);
    s.devices = std::clamp(static_cast<int>(number_from("CUDASIM_DEVICES", 2)), 1, max_devices);
    s.memory = std::clamp(number_from("CUDASIM_MEMORY", 8), uint64_t{1}, uint64_t{1024}) << 30;
    s.driver = static_cast<int>(number_from("CUDASIM_DRIVER", 13000));
    s.counts = getenv("CUDASIM_COUNTS");
    s.chip = find_chip(static_cast<int>(number_from("CUDASIM_CHIP", 90)));
    return s;
  }();
  return s;
}

Runtime& Runtime::get() {
  static Runtime* r = [] {
    Runtime* r = new Runtime;
    r->random = Random(settings().seed);
    return r;
  }();
  return *r;
}

static CUresult check_device(const Call& call, CUdevice device) {
  if (!call.runtime.initialised) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  return device < 0 || device >= settings().devices ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

// The figures of an H100 with SXM socket, save for the size of the memory and what is the chip's.
static int attribute(CUdevice_attribute a) {
  const Chip& chip = *settings().chip;
  switch (a) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return chip.capability / 10;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return chip.capability % 10;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return chip.multiprocessors;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return chip.threads_of_all;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return chip.blocks_of_all;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return default_shared;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return chip.shared;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return chip.shared_of_all;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK: return reserved_shared;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: return block_registers;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 50 << 20;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1980000;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return 2619000;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return 5120;
    case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY: return 65536;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 3;
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS: return 1;
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY: return 1;
    case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED: return 1;
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 0;
    default: return 0;
  }
}

}  // namespace sim

using namespace sim;

CUresult cuInit(unsigned flags) {
  Call call;
  if (flags != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!call.runtime.initialised) {
    catch_faults();
  }
  call.runtime.initialised = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  *version = settings().driver;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
  Call call;
  *count = settings().devices;
  return check_device(call, 0);
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  Call call;
  *device = ordinal;
  return check_device(call, ordinal);
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  Call call;
  snprintf(name, length, "CUDA simulator");
  return check_device(call, device);
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
  Call call;
  memset(uuid, 0, sizeof *uuid);
  uuid->bytes[15] = static_cast<char>(device + 1);
  return check_device(call, device);
}

CUresult cuDeviceGetPCIBusId(char* id, int length, CUdevice device) {
  Call call;
  snprintf(id, length, "0000:%02x:00.0", device + 1);
  return check_device(call, device);
}

CUresult cuDeviceTotalMem(size_t* bytes, CUdevice device) {
  Call call;
  *bytes = settings().memory;
  return check_device(call, device);
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute a, CUdevice device) {
  Call call;
  *value = attribute(a);
  return check_device(call, device);
}

CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  Call call;
  *can = device != peer;
  const CUresult error = check_device(call, device);
  return error != CUDA_SUCCESS ? error : check_device(call, peer);
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  Call call;
  if (const CUresult error = check_device(call, device)) {
    return error;
  }
  CUcontext& primary = call.runtime.primary[device];
  if (primary == nullptr) {
    primary = new CUctx_st;
    primary->device = device;
    primary->legacy = make_stream(primary, true, 0);
  }
  primary->retained++;
  *context = primary;
  return CUDA_SUCCESS;
}

// The last release destroys the context with its memory, and with it an error that stuck to it. The object is kept, as
// threads may still have it for current: they then get CUDA_ERROR_CONTEXT_IS_DESTROYED.
static void destroy_primary(Call& call, CUdevice device) {
  CUcontext& primary = call.runtime.primary[device];
  drain(call, primary);
  for (auto i = call.runtime.allocations.begin(); i != call.runtime.allocations.end();) {
    if (i->second.context == primary) {
      accesses_forget(reinterpret_cast<void*>(i->first));
      give_back(reinterpret_cast<void*>(i->first), i->second.bytes);
      i = call.runtime.allocations.erase(i);
    } else {
      ++i;
    }
  }
  primary->error = CUDA_ERROR_CONTEXT_IS_DESTROYED;
  primary = nullptr;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  Call call;
  if (const CUresult error = check_device(call, device)) {
    return error;
  }
  CUcontext primary = call.runtime.primary[device];
  if (primary == nullptr) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (--primary->retained == 0) {
    destroy_primary(call, device);
  }
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxReset(CUdevice device) {
  Call call;
  if (const CUresult error = check_device(call, device)) {
    return error;
  }
  if (call.runtime.primary[device] != nullptr) {
    destroy_primary(call, device);
  }
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
  Call call;
  if (const CUresult error = check_device(call, device)) {
    return error;
  }
  *flags = 0;
  *active = call.runtime.primary[device] != nullptr;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  state.context = context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* context) {
  *context = state.context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* device) {
  if (state.context == nullptr) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  *device = state.context->device;
  return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() {
  Call call;
  const CUresult error = call.error();
  return error != CUDA_SUCCESS ? error : drain(call, call.context);
}

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  Call call;
  *least = 0;
  *greatest = -5;
  return call.error();
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (peer == nullptr || peer->device == call.context->device) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  return call.context->peers.insert(peer).second ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
}

CUresult cuCtxDisablePeerAccess(CUcontext peer) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  return call.context->peers.erase(peer) != 0 ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}
