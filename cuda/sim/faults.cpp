// faults.cpp: signals that a kernel raises become CUDA errors.
#include <signal.h>
#include <ucontext.h>

#include "scheduler.h"

namespace sim {

#if defined(__SANITIZE_ADDRESS__)

void catch_faults() {}  // the sanitizer reports them, with the place in the source

#else

namespace {

struct sigaction before[NSIG];  // the handlers of the program

// These run on the stack of the fiber that raised the signal, from its top: the fiber will not go on.
[[noreturn]] void illegal_address(void* address) {
  fail(Fault::illegal_address, "access to %p, which is no memory (build the simulator with -s address for the place)",
       address);
}
[[noreturn]] void division_by_zero(void*) { fail(Fault::launch_failed, "integer division by zero"); }

void handle(int signal, siginfo_t* info, void* context) {
  const struct sigaction& others = before[signal];
  const Scheduler* scheduler = Scheduler::running();
  if (scheduler != nullptr) {
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RIP] = reinterpret_cast<greg_t>(signal == SIGFPE ? division_by_zero : illegal_address);
    registers[REG_RSP] = reinterpret_cast<greg_t>(scheduler->stack_top());
    registers[REG_RDI] = reinterpret_cast<greg_t>(info->si_addr);
  } else if (others.sa_flags & SA_SIGINFO) {
    others.sa_sigaction(signal, info, context);
  } else if (others.sa_handler != SIG_DFL && others.sa_handler != SIG_IGN) {
    others.sa_handler(signal);
  } else {
    sigaction(signal, &others, nullptr);  // the instruction is executed again and ends the process
  }
}

}  // namespace

void catch_faults() {
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE}) {
    sigaction(signal, &action, &before[signal]);
  }
}

#endif

}  // namespace sim
