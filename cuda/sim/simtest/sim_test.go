//go:build gpu

// Package simtest_test shows that the simulator catches what it says: each test launches a kernel with a planted fault from
// ../planted, and its correct sibling. A launch happens in a process of its own, since a library is bound once.
package simtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// caseVariable names the case that a child process runs.
const caseVariable = "GOTRAIN_SIM_CASE"

func TestMain(m *testing.M) {
	if name := os.Getenv(caseVariable); name != "" {
		os.Exit(child(name))
	}
	os.Exit(m.Run())
}

// simulator is a build of the simulator with the planted kernels. The zero value has no sanitizer.
type simulator struct {
	sanitizer string
	once      sync.Once
	err       error
}

var (
	plain     = &simulator{}
	address   = &simulator{sanitizer: "address"}
	thread    = &simulator{sanitizer: "thread"}
	undefined = &simulator{sanitizer: "undefined"}
)

func (s *simulator) folder() string {
	if s.sanitizer == "" {
		return "build/sim-planted"
	}
	return "build/sim-planted-" + s.sanitizer
}

func (s *simulator) build(t *testing.T) {
	t.Helper()
	s.once.Do(func() {
		args := []string{"scripts/cuda/sim.sh", "--planted"}
		if s.sanitizer != "" {
			args = append(args, "-s", s.sanitizer)
		}
		build := exec.Command(args[0], args[1:]...)
		build.Dir = "../../.."
		if out, err := build.CombinedOutput(); err != nil {
			s.err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
}

// run gives the output of a case: "correct", "wrong: …" or "error: …" after what the simulator printed.
func (s *simulator) run(t *testing.T, name string, seed int) string {
	t.Helper()
	s.build(t)
	folder, err := filepath.Abs(filepath.Join("../../..", s.folder()))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), caseVariable+"="+name, "LD_LIBRARY_PATH="+folder, fmt.Sprintf("CUDASIM_SEED=%d", seed))
	if s.sanitizer == "address" { // the program is not instrumented, so its runtime must be loaded first
		library, err := exec.Command("gcc", "-print-file-name=libasan.so").Output()
		if err != nil {
			t.Fatal(err)
		}
		command.Env = append(command.Env, "LD_PRELOAD="+strings.TrimSpace(string(library)), "ASAN_OPTIONS=detect_leaks=0")
	}
	out, _ := command.CombinedOutput() // a caught fault ends some processes
	return string(out)
}

const seeds = 8

func (s *simulator) wantCorrect(t *testing.T, name string) {
	t.Helper()
	for seed := 1; seed <= seeds; seed++ {
		if out := s.run(t, name, seed); out != "correct\n" {
			t.Errorf("%s with seed %d: %s", name, seed, out)
		}
	}
}

// TestReported plants faults for which the simulator has a message.
func TestReported(t *testing.T) {
	for _, c := range []struct {
		simulator      *simulator
		fault, correct string
		want           string
	}{
		{plain, "copy_rows_misaligned", "copy_rows_correct",
			`copy_rows_misaligned: block \(\d+,0,0\) thread \(\d+,0,0\): Pack::load: address 0x[0-9a-f]+ is not a multiple of 16(?s:.*)CUDA_ERROR_MISALIGNED_ADDRESS`},
		// The system does not tell addresses that no memory can have: then it says nil.
		{plain, "twice_far", "twice_correct", `access to (0x[0-9a-f]+|\(nil\)), which is no memory(?s:.*)CUDA_ERROR_ILLEGAL_ADDRESS`},
		{plain, "sum_divergent", "sum_correct", `divergent barrier: .*barriers.cu:\d+, others at .*barriers.cu:\d+(?s:.*)CUDA_ERROR_LAUNCH_FAILED`},
		{plain, "deadlock", "sum_correct", `deadlock: 32 of 64 threads wait at the barrier .*barriers.cu:\d+; lanes 0xaaaaaaaa of warp \d wait at .*barriers.cu:\d+ for lanes 0x55555555`},
		{plain, "sum_lanes_exited", "sum_lanes_correct", `(lane \d+ exits while|names lanes 0x[0-9a-f]+ that have exited)`},
		{plain, "sum_lanes_outside", "sum_lanes_correct", `lane \d+ is not in its own mask 0x`},
		{plain, "sum_lanes_disagree", "sum_lanes_correct", `mask 0x[0-9a-f]+, while lanes 0x[0-9a-f]+ wait at .*warps.cu:\d+ with mask 0x`},
		{plain, "fewer_arguments", "twice_correct", `twice_correct: fewer than its 3 arguments(?s:.*)CUDA_ERROR_INVALID_VALUE`},
		{plain, "more_arguments", "twice_correct", `twice_correct: more than its 3 arguments(?s:.*)CUDA_ERROR_INVALID_VALUE`},
		{plain, "number_for_pointer", "twice_correct", `twice_correct: argument 1 is a pointer, 0x7 is in no allocation`},
		{plain, "pointer_for_number", "twice_correct", `twice_correct: argument 2 has type int, 0x[0-9a-f]+ does not fit`},
		{plain, "large_block", "twice_correct", `block of \(512,1,1\) threads, at most 256 are declared`},
		{plain, "large_shared", "large_shared_allowed", `65536 bytes of dynamic and 0 of static shared memory, 49152 are allowed unasked`},
		{plain, "static_and_dynamic", "static_and_unasked", `48001 bytes of dynamic and 1152 of static shared memory, 49152 are allowed unasked(?s:.*)CUDA_ERROR_INVALID_VALUE`},
		{plain, "static_and_all", "static_and_rest", `232321 bytes of dynamic and 128 of static shared memory, a block has 232448(?s:.*)CUDA_ERROR_INVALID_VALUE`},
		{plain, "many_registers", "many_registers_fewer", `288 threads of 250 registers, a block has 65536(?s:.*)CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES`},
		{plain, "not_an_image", "twice_correct", `the image is not a fatbin(?s:.*)CUDA_ERROR_INVALID_IMAGE`},
		{address, "twice_beyond", "twice_correct", `heap-buffer-overflow(?s:.*)WRITE of size 4(?s:.*)memory.cu:\d+`},
		{address, "shared_array_beyond", "shared_array_correct", `global-buffer-overflow(?s:.*)memory.cu:\d+`},
		{thread, "twice_beyond", "twice_correct",
			`write of 4 bytes, 400 bytes after the start of an allocation of 400 bytes, at .*memory.cu:\d+(?s:.*)CUDA_ERROR_ILLEGAL_ADDRESS`},
		{thread, "reverse_unsynchronized", "reverse_correct", `read of shared memory that the block has not written, at .*barriers.cu:\d+`},
		{thread, "swap_halves_unsynchronized", "swap_halves_correct",
			`race on shared memory: (read|write) of 0x.* at .*barriers.cu:\d+.*, after a (read|write) by thread \d+ of block \d+ at .*barriers.cu:\d+`},
		{thread, "reverse_warp_unsynchronized", "reverse_warp_correct", `read of shared memory that the block has not written, at .*barriers.cu:\d+`},
		{thread, "product_unwaited", "product_correct", `read of shared memory before the wait for its cp_async16 by thread \d+, at .*tensor.cu:\d+`},
		{thread, "product_unsynchronized", "product_correct", `race on shared memory: write of 0x.* at .*tensor.cu:\d+.*, after a read`},
		{thread, "sum_blocks_unordered", "sum_blocks_correct",
			`race on device memory: (read|write) of 0x.* at .*blocks.cu:\d+.*, after a (read|write) by thread 0 of block \d+`},
		{thread, "chain_unwaited", "chain_correct", `race on device memory: (read|write) of 0x.* at .*order.cu:\d+.*, after a (read|write) by thread 0 of block \d+`},
		{thread, "chain_early", "chain_correct", `race on device memory: (read|write) of 0x.* at .*order.cu:\d+.*, after a (read|write) by thread 0 of block \d+`},
		{thread, "chain_by_number", "chain_correct", `deadlock: waits at .*order.cu:\d+ for a block that does not run`},
		{undefined, "shared_array_beyond", "shared_array_correct", `memory.cu:\d+:\d+: runtime error: index \d+ out of bounds`},
	} {
		t.Run(c.fault+c.simulator.sanitizer, func(t *testing.T) {
			if out := c.simulator.run(t, c.fault, 1); !regexp.MustCompile(c.want).MatchString(out) {
				t.Errorf("output does not match %s:\n%s", c.want, out)
			}
			if out := c.simulator.run(t, c.correct, 1); out != "correct\n" {
				t.Errorf("%s: %s", c.correct, out)
			}
		})
	}
}

// TestWrongResult plants faults that a schedule must bring to light: one of eight seeds gives a wrong result, and the
// correct kernel is right with all of them.
func TestWrongResult(t *testing.T) {
	for _, c := range []struct{ fault, correct string }{
		{"reverse_unsynchronized", "reverse_correct"},
		{"swap_halves_unsynchronized", "swap_halves_correct"},
		{"reverse_warp_unsynchronized", "reverse_warp_correct"},
		{"sum_blocks_unordered", "sum_blocks_correct"},
		{"product_unwaited", "product_correct"},
		{"product_unsynchronized", "product_correct"},
		{"upload_not_awaited", "upload_awaited"},
		{"upload_too_early", "upload_in_turn"},
		{"pinned_reused", "pinned_reused_after_synchronize"},
		{"download_not_awaited", "download_awaited"},
		{"graph_branches_not_ordered", "graph_branches_ordered"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			wrong := 0
			for seed := 1; seed <= seeds; seed++ {
				if strings.HasPrefix(plain.run(t, c.fault, seed), "wrong: ") {
					wrong++
				}
			}
			if wrong == 0 {
				t.Errorf("none of %d seeds gives a wrong result", seeds)
			}
			plain.wantCorrect(t, c.correct)
		})
	}
}

// TestFragments compares the layouts of ldmatrix and mma with the definition of the product, under the sanitizers too.
func TestFragments(t *testing.T) {
	for _, s := range []*simulator{plain, address, thread, undefined} {
		for _, name := range []string{"product_correct", "transpose_tiles"} {
			if out := s.run(t, name, 1); out != "correct\n" {
				t.Errorf("%s %s: %s", s.sanitizer, name, out)
			}
		}
	}
}
