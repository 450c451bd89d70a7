// faults.cpp: signals that a kernel raises become CUDA errors.
#include <signal.h>
#include <ucontext.h>

#include "scheduler.h"

namespace sim {

#if defined(__SANITIZE_ADDRESS__)

void catch_faults() {}  // the sanitizer reports them, with the place in the source

#else

namespace {

struct sigaction before_segv, before_fpe;

// These run on the stack of the fiber that raised the signal, from its top: the fiber will not go on.
[[noreturn]] void illegal_address(void* address) {
  fail(Fault::illegal_address, "access to %p, which is no memory (build the simulator with -s address for the place)",
       address);
}
[[noreturn]] void division_by_zero(void*) { fail(Fault::launch_failed, "integer division by zero"); }

void handle(int signal, siginfo_t* info, void* context) {
  const struct sigaction& before = signal == SIGSEGV ? before_segv : before_fpe;
  const Scheduler* scheduler = Scheduler::running();
  if (scheduler != nullptr) {
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RIP] = reinterpret_cast<greg_t>(signal == SIGSEGV ? illegal_address : division_by_zero);
    registers[REG_RSP] = reinterpret_cast<greg_t>(scheduler->stack_top());
    registers[REG_RDI] = reinterpret_cast<greg_t>(info->si_addr);
  } else if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else {
    sigaction(signal, &before, nullptr);  // the instruction is executed again and ends the process
  }
}

}  // namespace

void catch_faults() {
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &before_segv);
  sigaction(SIGFPE, &action, &before_fpe);
}

#endif

}  // namespace sim
