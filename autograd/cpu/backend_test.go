package cpu_test

import (
	"math"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

func newBackend(t *testing.T, cfg cpu.Config) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestUnknownISA(t *testing.T) {
	_, err := cpu.New(cpu.Config{ISA: "mmx"})
	if err == nil || !strings.Contains(err.Error(), `no "mmx" kernels; it has generic`) {
		t.Errorf("got %v", err)
	}
}

// TestAlloc checks that memory of either kind, of the heap and mapped, is zero,
// aligned and holds what is written.
func TestAlloc(t *testing.T) {
	b := newBackend(t, cpu.Config{Threads: 1})
	for _, n := range []int64{0, 4, 100, 1 << 20, 5<<20 + 4} {
		buf, err := b.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		if buf.Bytes() != n {
			t.Errorf("a buffer of %d bytes has %d", n, buf.Bytes())
		}
		r := exec.Region{Buffer: buf, Bytes: n}
		data := make([]byte, n)
		if err := b.Download(data, r); err != nil {
			t.Fatal(err)
		}
		for i, e := range data {
			if e != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, e)
			}
			data[i] = byte(i)
		}
		if err := b.Upload(r, data); err != nil {
			t.Fatal(err)
		}
		clear(data)
		if err := b.Download(data, r); err != nil {
			t.Fatal(err)
		}
		for i, e := range data {
			if e != byte(i) {
				t.Fatalf("byte %d of %d is %d after writing %d", i, n, e, byte(i))
			}
		}
	}
	if _, err := b.Alloc(math.MaxInt64); err == nil {
		t.Error("an allocation of all memory succeeded")
	}
	if err := b.Upload(exec.Region{}, []byte{1}); err == nil {
		t.Error("an upload beyond the region succeeded")
	}
}

// lookup returns a session of y = Embedding(ids, table) with 3 rows, a table of
// 5 and one MatMul after it.
func lookup(t *testing.T, b *cpu.Backend) *exec.Session {
	t.Helper()
	p := &ir.Program{Name: "lookup"}
	ids := p.NewValue(ir.Input, "ids", ir.I32, 3)
	table := p.NewValue(ir.State, "table", ir.F32, 5, 4)
	y, z := p.NewValue(ir.Temp, "", ir.F32, 3, 4), p.NewValue(ir.Temp, "", ir.F32, 3, 5)
	p.Emit(&ir.Instr{Kind: ir.Embedding, In: []*ir.Value{ids, table}, Out: []*ir.Value{y}, Path: "wte", Block: -1})
	p.Emit(&ir.Instr{Kind: ir.MatMul, Attrs: ir.MatMulAttrs{TransB: true}, In: []*ir.Value{y, table, nil, nil, nil}, Out: []*ir.Value{z, nil, nil}, Block: -1})
	p.Outputs = []*ir.Value{z}
	pl, err := plan.Build(p, plan.Options{Target: b.Target()})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(b, pl.Arena)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(pl, exec.NewStore(b), arena)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFaultNamesInstruction runs with an id outside the vocabulary: Run returns
// the place, and the next run with good ids works.
func TestFaultNamesInstruction(t *testing.T) {
	s := lookup(t, newBackend(t, cpu.Config{Threads: 1}))
	for _, bad := range []int32{5, -1} {
		if err := s.SetInts("ids", []int32{0, bad, 2}); err != nil {
			t.Fatal(err)
		}
		err := s.Run()
		if err == nil || !strings.Contains(err.Error(), `Embedding at "wte": id`) || !strings.Contains(err.Error(), "at row 1 is outside [0, 5)") {
			t.Errorf("id %d: got %v", bad, err)
		}
	}
	if err := s.SetInts("ids", []int32{0, 1, 4}); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(); err != nil {
		t.Errorf("the run after a fault: %v", err)
	}
}

// TestPanicNamesInstruction binds an Add to regions of different sizes, which
// only a broken plan does: the panic comes back from Sync.
func TestPanicNamesInstruction(t *testing.T) {
	b := newBackend(t, cpu.Config{Threads: 2})
	for _, n := range []int{8, 1 << 16} { // on the caller, in the pool
		buf, err := b.Alloc(int64(4 * n))
		if err != nil {
			t.Fatal(err)
		}
		p := &ir.Program{}
		v := p.NewValue(ir.Temp, "", ir.F32, n)
		whole, half := exec.Region{Buffer: buf, Bytes: int64(4 * n)}, exec.Region{Buffer: buf, Bytes: int64(2 * n)}
		launch, err := b.Bind(&ir.Instr{Kind: ir.Add, In: []*ir.Value{v, v}, Out: []*ir.Value{v}, Path: "h.0"},
			exec.Args{In: []exec.Region{whole, half}, Out: []exec.Region{whole}})
		if err != nil {
			t.Fatal(err)
		}
		launch()
		if err := b.Sync(); err == nil || !strings.Contains(err.Error(), `Add at "h.0": kernel panicked`) {
			t.Errorf("%d elements: got %v", n, err)
		}
		if err := b.Sync(); err != nil {
			t.Errorf("the second Sync returns %v", err)
		}
	}
}

func TestBindChecksWorkspace(t *testing.T) {
	b := newBackend(t, cpu.Config{Threads: 1})
	p := &ir.Program{}
	x, y := p.NewValue(ir.Temp, "", ir.F32, 4, 4), p.NewValue(ir.Temp, "", ir.F32, 4)
	_, err := b.Bind(&ir.Instr{Kind: ir.ColumnSum, In: []*ir.Value{x, nil}, Out: []*ir.Value{y}}, exec.Args{In: make([]exec.Region, 2), Out: make([]exec.Region, 1)})
	if err == nil || !strings.Contains(err.Error(), "bytes of workspace") {
		t.Errorf("got %v", err)
	}
}
