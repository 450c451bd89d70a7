//go:build gpu

package simtest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/cuda"
)

// errWrong is a result that differs from what the kernel should compute.
var errWrong = errors.New("wrong")

// child runs one case and prints its outcome.
func child(name string) int {
	run, ok := cases[name]
	if !ok {
		fmt.Println("no case", name)
		return 2
	}
	err := runOnDevice(run)
	switch {
	case err == nil:
		fmt.Println("correct")
	case errors.Is(err, errWrong):
		fmt.Println(err)
	default:
		fmt.Println("error:", err)
	}
	return 0
}

func runOnDevice(run func(*rig) error) error {
	d, err := cuda.Open(0)
	if err != nil {
		return err
	}
	m, err := d.Load(fatbin)
	if err != nil {
		return err
	}
	r := &rig{device: d, module: m}
	r.stream = r.newStream()
	return errors.Join(run(r), r.err)
}

// fatbin is as much of an image as the simulator looks at.
var fatbin = []byte{0x50, 0xed, 0x55, 0xba, 0, 0, 0, 0}

// rig is what a case needs of a device. The first error of its methods is kept.
type rig struct {
	device *cuda.Device
	module *cuda.Module
	stream *cuda.Stream
	err    error
}

func (r *rig) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *rig) newStream() *cuda.Stream {
	s, err := r.device.NewStream()
	r.keep(err)
	return s
}

func (r *rig) newEvent() *cuda.Event {
	e, err := r.device.NewEvent()
	r.keep(err)
	return e
}

func (r *rig) alloc(bytes int) cuda.Ptr {
	p, err := r.device.Alloc(int64(bytes))
	r.keep(err)
	return p
}

func (r *rig) pinned(bytes int) []byte {
	p, err := r.device.Pinned(int64(bytes))
	r.keep(err)
	if err != nil {
		return make([]byte, bytes)
	}
	return p.Bytes()
}

func (r *rig) upload(data []byte) cuda.Ptr {
	p := r.alloc(len(data))
	r.keep(r.stream.Upload(p, data))
	return p
}

// launch puts a kernel of one-dimensional blocks into a stream.
func (r *rig) launch(s *cuda.Stream, name string, grid, block, shared int, args ...cuda.Slot) error {
	k, err := r.module.Kernel(name)
	if err != nil {
		return err
	}
	return s.Launch(k, cuda.Dim{X: grid, Y: 1, Z: 1}, cuda.Dim{X: block, Y: 1, Z: 1}, shared, args)
}

func (r *rig) download(p cuda.Ptr, bytes int) []byte {
	out := make([]byte, bytes)
	r.keep(r.stream.Download(out, p))
	r.keep(r.stream.Synchronize())
	return out
}

// ramp is start, start+1, …
func ramp(start, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(start + i)
	}
	return x
}

func toBytes(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func fromBytes(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func compare(got, want []float32) error {
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("%w: element %d is %v, want %v", errWrong, i, got[i], want[i])
		}
	}
	return nil
}

// elementwise launches kernel(x, y, n) on x = 1, 2, … of grid·per elements and compares y with want of each element.
func elementwise(kernel string, grid, block, per, n, shared int, want func(i int) float32) func(*rig) error {
	return func(r *rig) error {
		total := grid * per
		x := r.upload(toBytes(ramp(1, total)))
		y := r.alloc(4 * total)
		if err := r.launch(r.stream, kernel, grid, block, shared, x.Slot(), y.Slot(), cuda.Int(int32(n))); err != nil {
			return err
		}
		wanted := make([]float32, total)
		for i := range wanted {
			wanted[i] = want(i)
		}
		got := fromBytes(r.download(y, 4*total))
		if r.err != nil {
			return r.err
		}
		return compare(got, wanted)
	}
}

func identity(i int) float32 { return float32(i + 1) }
func double(i int) float32   { return float32(2 * (i + 1)) }

// reversed reverses within groups of n.
func reversed(n int) func(int) float32 {
	return func(i int) float32 { return float32(i/n*n + n - i%n) }
}

// sumOf is 1 + … + n in every element below n.
func sumOf(n int) func(int) float32 {
	return func(int) float32 { return float32(n * (n + 1) / 2) }
}

var cases = map[string]func(*rig) error{
	"twice_correct":        elementwise("twice_correct", 1, 128, 100, 100, 0, double),
	"twice_beyond":         elementwise("twice_beyond", 1, 128, 100, 100, 0, double),
	"twice_far":            elementwise("twice_far", 1, 128, 100, 100, 0, double),
	"copy_rows_correct":    elementwise("copy_rows_correct", 7, 32, 37, 37, 0, identity),
	"copy_rows_misaligned": elementwise("copy_rows_misaligned", 7, 32, 37, 37, 0, identity),
	"shared_array_correct": elementwise("shared_array_correct", 1, 32, 32, 32, 0, identity),
	"shared_array_beyond":  elementwise("shared_array_beyond", 1, 64, 64, 32, 0, identity),

	"reverse_correct":             elementwise("reverse_correct", 5, 256, 256, 256, 1024, reversed(256)),
	"reverse_unsynchronized":      elementwise("reverse_unsynchronized", 5, 256, 256, 256, 1024, reversed(256)),
	"swap_halves_correct":         elementwise("swap_halves_correct", 3, 256, 256, 8, 0, identity),
	"swap_halves_unsynchronized":  elementwise("swap_halves_unsynchronized", 3, 256, 256, 8, 0, identity),
	"reverse_warp_correct":        elementwise("reverse_warp_correct", 1, 256, 256, 256, 0, reversed(32)),
	"reverse_warp_unsynchronized": elementwise("reverse_warp_unsynchronized", 1, 256, 256, 256, 0, reversed(32)),
	"sum_correct":                 elementwise("sum_correct", 1, 128, 128, 128, 0, sumOf(128)),
	"sum_divergent":               elementwise("sum_divergent", 1, 128, 128, 128, 0, sumOf(128)),
	"deadlock":                    elementwise("deadlock", 1, 64, 64, 0, 0, identity),

	"sum_blocks_correct":   sumBlocks("sum_blocks_correct"),
	"sum_blocks_unordered": sumBlocks("sum_blocks_unordered"),

	"chain_correct":   chain("chain_correct"),
	"chain_unwaited":  chain("chain_unwaited"),
	"chain_early":     chain("chain_early"),
	"chain_by_number": chain("chain_by_number"),

	"sum_lanes_correct":  elementwise("sum_lanes_correct", 1, 32, 20, 20, 0, sumOf(20)),
	"sum_lanes_exited":   elementwise("sum_lanes_exited", 1, 32, 20, 20, 0, sumOf(20)),
	"sum_lanes_outside":  elementwise("sum_lanes_outside", 1, 32, 20, 20, 0, sumOf(20)),
	"sum_lanes_disagree": elementwise("sum_lanes_disagree", 1, 32, 20, 20, 0, sumOf(20)),

	"large_block":          elementwise("twice_correct", 1, 512, 100, 100, 0, double),
	"large_shared":         elementwise("reverse_correct", 1, 256, 256, 256, 64<<10, reversed(256)),
	"large_shared_allowed": largeSharedAllowed,
	"static_and_dynamic":   elementwise("shared_array_correct", 1, 32, 32, 32, 48<<10-1152+1, identity),
	"static_and_unasked":   elementwise("shared_array_correct", 1, 32, 32, 32, 48<<10-1152, identity),
	"static_and_all":       asked("shared_array_correct", 227<<10-128+1),
	"static_and_rest":      asked("shared_array_correct", 227<<10-128),
	"many_registers":       elementwise("twice_registers", 1, 288, 100, 100, 0, double),
	"many_registers_fewer": elementwise("twice_registers", 1, 256, 100, 100, 0, double),
	"not_an_image":         notAnImage,

	"fewer_arguments":    arguments(func(x, y cuda.Ptr) []cuda.Slot { return []cuda.Slot{x.Slot(), y.Slot()} }),
	"more_arguments":     arguments(func(x, y cuda.Ptr) []cuda.Slot { return []cuda.Slot{x.Slot(), y.Slot(), 8, 8} }),
	"number_for_pointer": arguments(func(x, y cuda.Ptr) []cuda.Slot { return []cuda.Slot{x.Slot(), 7, 8} }),
	"pointer_for_number": arguments(func(x, y cuda.Ptr) []cuda.Slot { return []cuda.Slot{x.Slot(), y.Slot(), y.Slot()} }),

	"product_correct":        product("product_correct"),
	"product_unwaited":       product("product_unwaited"),
	"product_unsynchronized": product("product_unsynchronized"),
	"transpose_tiles":        transposeTiles,

	"upload_awaited":                  uploadFrom(true),
	"upload_not_awaited":              uploadFrom(false),
	"upload_in_turn":                  uploadOver(true),
	"upload_too_early":                uploadOver(false),
	"pinned_reused":                   pinnedReused(false),
	"pinned_reused_after_synchronize": pinnedReused(true),
	"download_awaited":                downloadTo(true),
	"download_not_awaited":            downloadTo(false),
	"graph_branches_ordered":          graphBranches(true),
	"graph_branches_not_ordered":      graphBranches(false),
}

// asked only asks for shared memory.
func asked(kernel string, bytes int) func(*rig) error {
	return func(r *rig) error {
		k, err := r.module.Kernel(kernel)
		if err != nil {
			return err
		}
		return k.SetShared(bytes)
	}
}

func largeSharedAllowed(r *rig) error {
	k, err := r.module.Kernel("reverse_correct")
	if err != nil {
		return err
	}
	if err := k.SetShared(64 << 10); err != nil {
		return err
	}
	x, y := r.upload(toBytes(ramp(1, 256))), r.alloc(1024)
	one, block := cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 256, Y: 1, Z: 1}
	if err := r.stream.Launch(k, one, block, 64<<10, []cuda.Slot{x.Slot(), y.Slot(), 256}); err != nil {
		return err
	}
	return compare(fromBytes(r.download(y, 1024))[:1], []float32{256})
}

func sumBlocks(kernel string) func(*rig) error {
	return func(r *rig) error {
		const blocks, block = 7, 256
		x := r.upload(toBytes(ramp(1, blocks*block)))
		partial, count, total := r.alloc(4*blocks), r.alloc(4), r.alloc(4)
		err := r.launch(r.stream, kernel, blocks, block, 0, x.Slot(), partial.Slot(), count.Slot(), total.Slot())
		if err != nil {
			return err
		}
		got := fromBytes(r.download(total, 4))
		if r.err != nil {
			return r.err
		}
		return compare(got, []float32{blocks * block * (blocks*block + 1) / 2})
	}
}

// chain launches blocks that each double the total and add an element, in the order of
// their tickets.
func chain(kernel string) func(*rig) error {
	return func(r *rig) error {
		const blocks = 9
		x := r.upload(toBytes(ramp(1, blocks)))
		total, flags := r.upload(toBytes([]float32{0})), r.upload(make([]byte, 8))
		if err := r.launch(r.stream, kernel, blocks, 32, 0, x.Slot(), total.Slot(), flags.Slot()); err != nil {
			return err
		}
		got := fromBytes(r.download(total, 4))
		if r.err != nil {
			return r.err
		}
		var want float32
		for i := range blocks {
			want = 2*want + float32(i+1)
		}
		return compare(got, []float32{want})
	}
}

func notAnImage(r *rig) error {
	_, err := r.device.Load([]byte("no image at all"))
	return err
}

// arguments launches twice_correct(x, y, n) with other arguments.
func arguments(of func(x, y cuda.Ptr) []cuda.Slot) func(*rig) error {
	return func(r *rig) error {
		x, y := r.alloc(32), r.alloc(32)
		return r.launch(r.stream, "twice_correct", 1, 32, 0, of(x, y)...)
	}
}

// bf16 of small integers, which it holds exactly.
func bf16Bytes(x []float32) []byte {
	b := make([]byte, 0, 2*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(v)>>16))
	}
	return b
}

// product compares C (16, 32) = A (16, k) · B (32, k)ᵀ of small integers with the definition.
func product(kernel string) func(*rig) error {
	return func(r *rig) error {
		const m, n, k = 16, 32, 64
		a, b, want := make([]float32, m*k), make([]float32, n*k), make([]float32, m*n)
		for i := range a {
			a[i] = float32(i*7%11 - 5)
		}
		for i := range b {
			b[i] = float32(i*5%13 - 6)
		}
		for i := range want {
			for j := range k {
				want[i] += a[i/n*k+j] * b[i%n*k+j]
			}
		}
		pa, pb, pc := r.upload(bf16Bytes(a)), r.upload(bf16Bytes(b)), r.alloc(4*m*n)
		if err := r.launch(r.stream, kernel, 1, n/8*32, 0, pa.Slot(), pb.Slot(), pc.Slot(), cuda.Int(k)); err != nil {
			return err
		}
		got := fromBytes(r.download(pc, 4*m*n))
		if r.err != nil {
			return r.err
		}
		return compare(got, want)
	}
}

func transposeTiles(r *rig) error {
	x := make([]float32, 256)
	for i := range x {
		x[i] = float32(i)
	}
	px, py := r.upload(bf16Bytes(x)), r.alloc(512)
	if err := r.launch(r.stream, "transpose_tiles", 1, 32, 0, px.Slot(), py.Slot()); err != nil {
		return err
	}
	out := r.download(py, 512)
	for i := range 256 {
		tile, row, column := i/64, i/8%8, i%8
		got := math.Float32frombits(uint32(binary.LittleEndian.Uint16(out[2*i:])) << 16)
		if want := float32(tile*64 + column*8 + row); got != want {
			return fmt.Errorf("%w: element %d is %v, want %v", errWrong, i, got, want)
		}
	}
	return r.err
}
