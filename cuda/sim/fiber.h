// fiber.h: a stack that can be left and entered again, for x86-64 with the System V ABI.
#pragma once
#include <pthread.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#error "the simulator's fibers are written for x86-64"
#endif

namespace sim {

// Saves the callee-saved registers on the current stack, its pointer in *from, and goes on where `to` was left.
extern "C" void sim_switch_stack(void** from, void* to);

// Fiber is one stack. A Fiber that is default-constructed stands for the stack of the thread that runs.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber() {
    if (stack_ != nullptr) {
      munmap(stack_, size);
    }
  }

  // reset makes the next switch to this fiber call body, which never returns.
  void reset(void (*body)()) {
    if (stack_ == nullptr) {
      void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED || mprotect(p, guard, PROT_NONE) != 0) {
        abort();
      }
      stack_ = static_cast<char*>(p);
      // Stacks start at different sets of the caches, or else a warp's would displace each other.
      offset_ = reinterpret_cast<uintptr_t>(p) / size % 61 * 5 * 64;
    }
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(stack_ + guard, size - guard);
    fake_stack_ = nullptr;
#endif
    void** top = static_cast<void**>(this->top());
    *--top = reinterpret_cast<void*>(body);
    for (int i = 0; i < 6; i++) {
      *--top = nullptr;
    }
    pointer_ = top;
  }

  // The stack pointer with which a function starts on the empty stack: below it lies no return address.
  void* top() const {
    void** top = reinterpret_cast<void**>(stack_ + size - offset_);
    *--top = nullptr;
    return top;
  }

  bool holds(const void* p) const { return static_cast<size_t>(static_cast<const char*>(p) - stack_) < size; }

  // Leaves this fiber, which runs, for the other.
  void switch_to(Fiber& other) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fake_stack_, other.bottom(), other.bytes());
    sim_switch_stack(&pointer_, other.pointer_);
    arrived(this);
#else
    sim_switch_stack(&pointer_, other.pointer_);
#endif
  }

  // The body of a fiber calls this first, as every fiber does that is entered again.
  static void arrived([[maybe_unused]] Fiber* self) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self != nullptr ? self->fake_stack_ : nullptr, nullptr, nullptr);
#endif
  }
  // Makes a default-constructed fiber stand for the OS thread that calls.
  void stand_for_thread() {
#if defined(__SANITIZE_ADDRESS__)
    pthread_attr_t attributes;
    void* bottom;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &bottom, &thread_bytes_);
    pthread_attr_destroy(&attributes);
    thread_bottom_ = bottom;
#endif
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t size = 512 << 10;  // red zones make frames larger
  const void* bottom() const { return stack_ != nullptr ? stack_ + guard : thread_bottom_; }
  size_t bytes() const { return stack_ != nullptr ? size - guard : thread_bytes_; }
  void* fake_stack_ = nullptr;
  const void* thread_bottom_ = nullptr;
  size_t thread_bytes_ = 0;
#else
  static constexpr size_t size = 128 << 10;
#endif
  static constexpr size_t guard = 4096;
  char* stack_ = nullptr;
  size_t offset_ = 0;
  void* pointer_ = nullptr;
};

}  // namespace sim
