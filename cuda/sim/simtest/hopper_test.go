//go:build gpu

package simtest_test

import (
	"encoding/binary"
	"regexp"
	"testing"

	"example.com/gotrain/cuda"
)

func init() {
	for _, kernel := range []string{"hopper_product", "hopper_no_product_fence", "hopper_wrong_phase", "hopper_too_few_bytes", "hopper_too_many_bytes",
		"hopper_layout", "hopper_wrong_step", "hopper_misplaced", "hopper_early_release", "hopper_no_wait", "hopper_touched", "hopper_no_init_fence",
		"hopper_no_map_acquire", "hopper_too_many_arrivals"} {
		cases[kernel] = panelProduct(kernel)
	}
	for _, kernel := range []string{"hopper_small_product", "hopper_no_proxy_fence", "hopper_changed"} {
		cases[kernel] = smallProduct(kernel)
	}
	for _, kernel := range []string{"hopper_copy", "hopper_copy_unwaited"} {
		cases[kernel] = elementwise(kernel, 1, 64, 64, 0, 256, identity)
	}
	cases["map_misaligned"] = mapOf(func(t *cuda.Tiles) { t.Base += 8 })
	cases["map_stride"] = mapOf(func(t *cuda.Tiles) { t.Strides[1] = 24 })
	cases["map_wide"] = mapOf(func(t *cuda.Tiles) { t.Box[0] = 128 })
	cases["map_high"] = mapOf(func(t *cuda.Tiles) { t.Box[2] = 512 })
	cases["map_correct"] = mapOf(func(*cuda.Tiles) {})
}

// matrix describes rows of k elements, in boxes of 64 by 64.
func matrix(p cuda.Ptr, rows, k int) cuda.Tiles {
	return cuda.Tiles{Base: p, Dims: [4]int{k, 1, rows, 1}, Strides: [3]int{2 * k, 2 * k, 2 * k * rows}, Box: [4]int{64, 1, 64, 1}}
}

func mapOf(change func(*cuda.Tiles)) func(*rig) error {
	return func(r *rig) error {
		t := matrix(r.alloc(64*64*2), 64, 64)
		change(&t)
		_, err := t.Map()
		return err
	}
}

// small are the integers of a matrix, which bf16 holds exactly.
func small(n, step, modulus int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i*step%modulus - modulus/2)
	}
	return x
}

// panelProduct compares C (64, 64) = A (60, k) · B (64, k)ᵀ, rows of A beyond the last being zeros, with the definition.
func panelProduct(kernel string) func(*rig) error {
	return func(r *rig) error {
		const rows, n, k = 60, 64, 5 * 64
		a, b, want := small(rows*k, 7, 11), small(n*k, 5, 13), make([]float32, 64*n)
		for i := range rows * n {
			for j := range k {
				want[i] += a[i/n*k+j] * b[i%n*k+j]
			}
		}
		upload := func(x []float32, rows int) cuda.Ptr {
			words, err := matrix(r.upload(bf16Bytes(x)), rows, k).Map()
			r.keep(err)
			var data []byte
			for _, w := range words {
				data = binary.LittleEndian.AppendUint64(data, w)
			}
			return r.upload(data)
		}
		pa, pb, pc := upload(a, rows), upload(b, n), r.alloc(4*64*n)
		if err := r.launch(r.stream, kernel, 1, 128, 4*64*128+1152, pa.Slot(), pb.Slot(), pc.Slot(), cuda.Int(k)); err != nil {
			return err
		}
		got := fromBytes(r.download(pc, 4*64*n))
		if r.err != nil {
			return r.err
		}
		return compare(got, want)
	}
}

// smallProduct compares C (64, 64) = A (64, 16) · B (16, 64) with the definition.
func smallProduct(kernel string) func(*rig) error {
	return func(r *rig) error {
		a, b, want := small(64*16, 7, 11), small(16*64, 5, 13), make([]float32, 64*64)
		for i := range want {
			for j := range 16 {
				want[i] += a[i/64*16+j] * b[j*64+i%64]
			}
		}
		pa, pb, pc := r.upload(bf16Bytes(a)), r.upload(bf16Bytes(b)), r.alloc(4*64*64)
		if err := r.launch(r.stream, kernel, 1, 128, 64*128+1024, pa.Slot(), pb.Slot(), pc.Slot(), cuda.Int(16)); err != nil {
			return err
		}
		got := fromBytes(r.download(pc, 4*64*64))
		if r.err != nil {
			return r.err
		}
		return compare(got, want)
	}
}

// TestHopper runs products of warpgroups as they should be, under the sanitizers too.
func TestHopper(t *testing.T) {
	for _, name := range []string{"hopper_product", "hopper_small_product", "hopper_copy", "map_correct"} {
		plain.wantCorrect(t, name)
		for _, s := range []*simulator{address, thread, undefined} {
			if out := s.run(t, name, 1); out != "correct\n" {
				t.Errorf("%s %s: %s", s.sanitizer, name, out)
			}
		}
	}
}

// TestHopperReported breaks each rule of asynchronous instructions: with one of eight seeds at least the simulator says
// which, and no seed gives a correct result, save where a product may be done before it is in the way.
func TestHopperReported(t *testing.T) {
	for _, c := range []struct{ fault, want string }{
		{"hopper_no_product_fence", `hopper.cu:\d+: no wgmma_fence before this product`},
		{"hopper_wrong_phase", `hopper.cu:\d+: the operand is read while a copy of .*hopper.cu:\d+ to it is under way`},
		{"hopper_too_few_bytes", `the barrier of .*hopper.cu:\d+ has got more than it expects by \d+ bytes|the operand is read while a copy`},
		{"hopper_too_many_bytes", `deadlock: thread \d+ waits at .*hopper.cu:\d+ for phase 0 of the barrier of .*hopper.cu:\d+, which lacks 0 arrivals and 8192 bytes`},
		{"hopper_layout", `hopper.cu:\d+: descriptor 0x[0-9a-f]{16}: wanted is swizzle 128B`},
		{"hopper_wrong_step", `shared memory, which nobody has written|leads to shared address`},
		{"hopper_misplaced", `starts in the first row of an atom`},
		{"hopper_early_release", `hopper.cu:\d+: the operand is read while a copy of .*hopper.cu:\d+ to it is under way|wrong: element`},
		{"hopper_no_wait", `the block ends before the wait for its product of .*hopper.cu:\d+`},
		{"hopper_touched", `accumulators of the product of .*hopper.cu:\d+ were touched before the wait at .*hopper.cu:\d+`},
		{"hopper_no_init_fence", `hopper.cu:\d+: no barrier_init_fence came after barrier_init at .*hopper.cu:\d+`},
		{"hopper_no_map_acquire", `hopper.cu:\d+: no map_acquire of this tensor map`},
		{"hopper_too_many_arrivals", `hopper.cu:\d+: more than the 1 arrivals that barrier_init said, in phase 0`},
		{"hopper_no_proxy_fence", `thread \d+ has stored to the operand at .*hopper.cu:\d+, and no proxy_fence of it came after`},
		{"hopper_changed", `registers of A of the product of .*hopper.cu:\d+ have changed before the wait at .*hopper.cu:\d+`},
		{"map_misaligned", `cuTensorMapEncodeTiled: the tensor's address is not a multiple of 16(?s:.*)CUDA_ERROR_INVALID_VALUE`},
		{"map_stride", `a stride is not a multiple of 16`},
		{"map_wide", `at most 128 with swizzle 128B`},
		{"map_high", `a dimension of the box is not 1 to 256`},
	} {
		t.Run(c.fault, func(t *testing.T) {
			said := 0
			for seed := 1; seed <= seeds; seed++ {
				out := plain.run(t, c.fault, seed)
				if out == "correct\n" && c.fault != "hopper_early_release" {
					t.Errorf("seed %d gives the correct result", seed)
				}
				if regexp.MustCompile(c.want).MatchString(out) {
					said++
				} else if seed == seeds && said == 0 {
					t.Errorf("output does not match %s:\n%s", c.want, out)
				}
			}
		})
	}
	t.Run("copy_unwaited", func(t *testing.T) {
		wrong := 0
		for seed := 1; seed <= seeds; seed++ {
			if plain.run(t, "hopper_copy_unwaited", seed) != "correct\n" {
				wrong++
			}
		}
		if wrong == 0 {
			t.Errorf("none of %d seeds gives a wrong result", seeds)
		}
		if out := thread.run(t, "hopper_copy_unwaited", 1); !regexp.MustCompile(`read of shared memory (before the wait for its copy by thread 0|that the block has not written), at .*hopper.cu:\d+`).MatchString(out) {
			t.Error(out)
		}
	})
}
