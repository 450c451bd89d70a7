// module.cpp: modules, functions, launches. The kernels are linked in; an image only has to look like one.
#include <algorithm>
#include <cmath>

#include "clock.h"
#include "runtime.h"
#include "settings.h"

namespace sim {

static Kernel* first_kernel;

Registration::Registration(Kernel* kernel) {
  kernel->next = first_kernel;
  first_kernel = kernel;
}

static const Kernel* find_kernel(const char* name) {
  for (const Kernel* k = first_kernel; k != nullptr; k = k->next) {
    if (strcmp(k->name, name) == 0) {
      return k;
    }
  }
  return nullptr;
}

// The rows of cuda/kernels/report.txt, as scripts/cuda/sim.sh writes them.
static const struct {
  const char* kernel;
  int image, registers;
  unsigned shared;
} report[] = {
#include "usage.inc"
};

static Usage find_usage(const char* name) {
  for (const auto& row : report) {
    if (row.image == settings().chip->image && strcmp(row.kernel, name) == 0) {
      return {row.registers, row.shared};
    }
  }
  return {};
}

// What a kernel declares itself: chips from sm_90 on take reserved_shared more.
static unsigned declared_shared(const Usage& u) {
  return settings().chip->image >= 90 && u.shared >= reserved_shared ? u.shared - reserved_shared : u.shared;
}

static unsigned parameter_bytes(char code) { return code == 'p' || code == 'l' ? 8 : 4; }

// Arguments are the values of a launch, kept until it is executed, 8 bytes each.
struct Arguments {
  std::vector<uint64_t> values;
  std::vector<void*> pointers;
};

// check_arguments compares what the caller passes with the kernel's parameters. The array ends with a null pointer,
// and slots that are 8 bytes apart hold 32-bit values extended to 64: so a wrong count, a pointer passed for a
// number, and a number passed for a pointer are seen.
static CUresult check_arguments(Call& call, const Kernel& k, void** parameters) {
  for (int i = 0; i <= k.parameters; i++) {
    if ((parameters[i] == nullptr) != (i == k.parameters)) {
      return complain(CUDA_ERROR_INVALID_VALUE, "%s: %s than its %d arguments", k.name,
                      i == k.parameters ? "more" : "fewer", k.parameters);
    }
  }
  for (int i = 0; i < k.parameters; i++) {
    const int next = i + 1 < k.parameters ? i + 1 : i;
    const bool slots =
        next > 0 && static_cast<char*>(parameters[next]) - static_cast<char*>(parameters[next - 1]) == 8;
    uint64_t value = 0;
    memcpy(&value, parameters[i], slots ? 8 : parameter_bytes(k.codes[i]));
    const uint64_t high = value >> 32;
    if (k.codes[i] == 'p' && value != 0 && find(call, value, 0) == nullptr) {
      return complain(CUDA_ERROR_INVALID_VALUE, "%s: argument %d is a pointer, 0x%llx is in no allocation", k.name, i,
                      static_cast<unsigned long long>(value));
    }
    const bool extended = high == 0 || (k.codes[i] == 'i' && high == 0xffffffffu && (value & 0x80000000u));
    if (slots && parameter_bytes(k.codes[i]) == 4 && !extended) {
      return complain(CUDA_ERROR_INVALID_VALUE, "%s: argument %d has type %s, 0x%llx does not fit", k.name, i,
                      k.codes[i] == 'i' ? "int" : "float", static_cast<unsigned long long>(value));
    }
  }
  return CUDA_SUCCESS;
}

static CUresult check_shape(CUfunction f, dim3 grid, dim3 block, unsigned shared) {
  const Kernel& k = *f->kernel;
  const uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    return complain(CUDA_ERROR_INVALID_VALUE, "%s: grid of (%u,%u,%u) blocks", k.name, grid.x, grid.y, grid.z);
  }
  if (threads == 0 || block.z > 64 || threads > static_cast<uint64_t>(k.max_threads)) {
    return complain(CUDA_ERROR_INVALID_VALUE, "%s: block of (%u,%u,%u) threads, at most %d are declared", k.name,
                    block.x, block.y, block.z, k.max_threads);
  }
  // A warp gets its registers by eights a thread.
  const uint64_t registers = (f->usage.registers + 7) / 8 * 8 * ((threads + 31) / 32 * 32);
  if (registers > block_registers) {
    return complain(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "%s: %lu threads of %d registers, a block has %u", k.name,
                    static_cast<unsigned long>(threads), f->usage.registers, block_registers);
  }
  // Without asking, static and dynamic memory share what a block has. That the reserved part counts is documented nowhere:
  // here it does.
  if (shared > f->granted && shared + f->usage.shared > default_shared) {
    return complain(CUDA_ERROR_INVALID_VALUE,
                    "%s: %u bytes of dynamic and %u of static shared memory, %u are allowed unasked, %u dynamic ones were "
                    "asked for by cuFuncSetAttribute",
                    k.name, shared, f->usage.shared, default_shared, f->granted);
  }
  return CUDA_SUCCESS;
}

// check_loaded refuses the first launch of a kernel in a capture unless cuFuncLoad has brought it to the device: loading
// may have to wait for the device, which a capture may not, and for other devices that wait for this one.
static CUresult check_loaded(CUfunction f, CUstream s) {
  if (!f->loaded && s->capture != nullptr) {
    s->capture->invalid = true;
    return complain(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "%s: loaded lazily in a capture", f->kernel->name);
  }
  f->loaded = true;
  return CUDA_SUCCESS;
}

}  // namespace sim

using namespace sim;

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  constexpr uint32_t magic = 0xba55ed50;  // of a fatbin
  if (image == nullptr || memcmp(image, &magic, sizeof magic) != 0) {
    return complain(CUDA_ERROR_INVALID_IMAGE, "cuModuleLoadData: the image is not a fatbin");
  }
  *module = new CUmod_st{call.context, {}};
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, CUjit_option*, void**) {
  return cuModuleLoadData(module, image);
}
CUresult cuModuleLoadFatBinary(CUmodule* module, const void* image) { return cuModuleLoadData(module, image); }

CUresult cuModuleUnload(CUmodule module) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  const CUresult error = drain(call, call.context);
  delete module;
  return error;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  const Kernel* kernel = find_kernel(name);
  if (kernel == nullptr) {
    return complain(CUDA_ERROR_NOT_FOUND, "no kernel %s: no file has EXPORT(%s)", name, name);
  }
  *function = &module->functions.try_emplace(name, CUfunc_st{kernel, find_usage(name)}).first->second;
  return CUDA_SUCCESS;
}

CUresult cuFuncLoad(CUfunction f) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  f->loaded = true;
  return CUDA_SUCCESS;
}

CUresult cuFuncIsLoaded(CUfunctionLoadingState* state, CUfunction f) {
  *state = f->loaded ? CU_FUNCTION_LOADING_STATE_LOADED : CU_FUNCTION_LOADING_STATE_UNLOADED;
  return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction f) {
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = f->kernel->max_threads; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      *value = f->granted > 0 ? f->granted : default_shared - declared_shared(f->usage);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = settings().chip->image; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = f->usage.registers; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = declared_shared(f->usage); return CUDA_SUCCESS;
    default: *value = 0; return CUDA_SUCCESS;
  }
}

CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute attribute, int value) {
  Call call;
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
    return CUDA_SUCCESS;
  }
  const unsigned own = declared_shared(f->usage), most = settings().chip->shared;
  if (value < 0 || static_cast<unsigned>(value) + own > most) {
    return complain(CUDA_ERROR_INVALID_VALUE, "%s: %d bytes of dynamic and %u of static shared memory, a block has %u",
                    f->kernel->name, value, own, most);
  }
  f->granted = value;  // also where it was more
  return CUDA_SUCCESS;
}

CUresult cuFuncGetName(const char** name, CUfunction f) {
  *name = f->kernel->name;
  return CUDA_SUCCESS;
}

CUresult cuFuncGetParamInfo(CUfunction f, size_t index, size_t* offset, size_t* bytes) {
  if (index >= static_cast<size_t>(f->kernel->parameters)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  size_t at = 0;
  for (size_t i = 0;; i++) {
    const size_t n = parameter_bytes(f->kernel->codes[i]);
    at = (at + n - 1) / n * n;
    if (i == index) {
      *offset = at;
      if (bytes != nullptr) {
        *bytes = n;
      }
      return CUDA_SUCCESS;
    }
    at += n;
  }
}

CUresult cuLaunchKernel(CUfunction f, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared, CUstream s, void** parameters,
                        void** extra) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (f == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  if (parameters == nullptr || extra != nullptr) {
    return complain(CUDA_ERROR_INVALID_VALUE, "%s: arguments must come as an array of pointers", f->kernel->name);
  }
  const Kernel& k = *f->kernel;
  const dim3 grid(grid_x, grid_y, grid_z), block(block_x, block_y, block_z);
  CUresult error = check_loaded(f, call.stream(s));
  if (!error) {
    error = check_shape(f, grid, block, shared);
  }
  if (!error) {
    error = check_arguments(call, k, parameters);
  }
  if (error) {
    return error;
  }
  auto arguments = std::make_shared<Arguments>();
  arguments->values.resize(k.parameters);
  arguments->pointers.resize(k.parameters);
  for (int i = 0; i < k.parameters; i++) {
    memcpy(&arguments->values[i], parameters[i], parameter_bytes(k.codes[i]));
    arguments->pointers[i] = &arguments->values[i];
  }
  return issue_work(call, call.stream(s), CU_GRAPH_NODE_TYPE_KERNEL, [=, &k] {
    Runtime& r = Runtime::get();
    const uint64_t seed = Random(r.random.next() + r.launches++).next();
    // A kernel may write to its parameters: each launch, and so each replay of a graph, gets its own copy.
    Arguments own{arguments->values, arguments->pointers};
    for (int i = 0; i < k.parameters; i++) {
      own.pointers[i] = &own.values[i];
    }
    took(k.name);
    return static_cast<CUresult>(run({&k, grid, block, shared, own.pointers.data(), seed}));
  });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction f, int threads, size_t shared) {
  if (threads <= 0 || threads > f->kernel->max_threads) {
    *blocks = 0;
    return CUDA_ERROR_INVALID_VALUE;
  }
  const Chip& chip = *settings().chip;
  const int warps = (threads + 31) / 32, by_threads = chip.threads_of_all / (32 * warps);
  const int by_registers = block_registers / (std::max((f->usage.registers + 7) / 8 * 8, 1) * 32 * warps);
  const int by_shared = static_cast<int>(chip.shared_of_all / (shared + declared_shared(f->usage) + reserved_shared));
  *blocks = std::min({chip.blocks_of_all, by_threads, by_registers, by_shared});
  return CUDA_SUCCESS;
}
