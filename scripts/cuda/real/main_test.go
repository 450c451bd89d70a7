package main

import (
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/cuda/kernels"
)

// output is what ptxas -v prints of all kernels, with more static shared memory or
// registers of one.
func output(of string, shared, registers int) string {
	var b strings.Builder
	for name, s := range kernels.Signatures {
		static, used := s.Shared, min(s.Registers, 64<<10/s.Threads/8*8)
		if name == of {
			static, used = static+shared, used+registers
		}
		fmt.Fprintf(&b, "ptxas info    : Compiling entry function '%s' for 'sm_89'\nptxas info    : Function properties for %s\n", name, name)
		fmt.Fprintf(&b, "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\nptxas info    : Used %d registers, used 1 barriers, %d bytes smem\n", used, static)
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	if got, err := check(output("", 0, 0)); err != nil || !strings.HasPrefix(got, fmt.Sprintf("%d kernels", len(kernels.Signatures))) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := check(output("layernorm_backward_bf16", kernels.Reserved, 0)); err != nil {
		t.Errorf("with what the chip reserves: %v", err)
	}
	for want, text := range map[string]string{
		"layernorm_backward_bf16 takes 144 bytes": output("layernorm_backward_bf16", 16, 0),
		"a block of 256 threads has no room":      output("attention_backward_d256_bf16", 0, 8),
		"is no kernel":                            output("", 0, 0) + "Compiling entry function 'x'\nUsed 8 registers\n",
		"0 kernels of":                            "",
	} {
		if _, err := check(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
