package main

import (
	"strings"

	"gotrain/autograd/cpu"
	"gotrain/autograd/exec"
)

// openDevice returns the back end that a --device value names.
func openDevice(name string, threads int) (exec.Backend, error) {
	switch {
	case name == "auto", name == "cpu":
		return cpu.New(cpu.Config{Threads: threads})
	case name == "cuda", strings.HasPrefix(name, "cuda:"):
		return nil, usagef("device %s: this binary was built for the CPU; use --device cpu", name)
	}
	return nil, usagef("device is %q; use auto, cpu, cuda or cuda:N", name)
}
