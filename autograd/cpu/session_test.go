package cpu_test

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// TestInputs finds the inputs of a plan and refuses what does not fit them.
func TestInputs(t *testing.T) {
	s := lookup(t, newBackend(t, cpu.Config{Threads: 1}))
	list := s.Inputs()
	if len(list) != 1 || list[0].Name() != "ids" || list[0].DType() != ir.I32 || !list[0].Shape().Equal(ir.Shape{3}) {
		t.Fatalf("got inputs %+v", list)
	}
	ids, ok := s.Input("ids")
	if !ok {
		t.Fatal("there is no input ids")
	}
	if _, ok := s.Input("table"); ok {
		t.Error("a state is an input")
	}
	if err := ids.SetInts([]int32{0, 1, 4}); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		`input "ids" takes i32(3), got 2 × i32`:                ids.SetInts([]int32{0, 1}),
		`input "ids" takes i32(3), got 3 × f32`:                ids.SetFloats([]float32{0, 1, 2}),
		`input "ids" takes i32(3) in 12 bytes`:                 ids.SetBytes(make([]byte, 12)),
		`plan lookup has no input "position"; it reads ids`:    s.SetInts("position", []int32{1}),
		`plan lookup has no input "loss_weight"; it reads ids`: s.SetFloats("loss_weight", []float32{1}),
		`output 0 is f32(3, 5), got 14 × f32`:                  s.Output(0, make([]float32, 14)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	data := make([]int32, 3)
	if n := testing.AllocsPerRun(10, func() {
		if err := ids.SetInts(data); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("setting an input allocates %g times", n)
	}
}

// TestStateBytes writes and reads states of every dtype as bytes.
func TestStateBytes(t *testing.T) {
	store := exec.NewStore(newBackend(t, cpu.Config{Threads: 1}))
	for d, bytes := range map[ir.DType]int{ir.F32: 44, ir.BF16: 22, ir.I32: 44, ir.U8: 11, ir.U4: 6, ir.U1: 2} {
		name := d.String()
		if _, err := store.Ensure(name, d, ir.Shape{11}); err != nil {
			t.Fatal(err)
		}
		data, got := make([]byte, bytes), make([]byte, bytes)
		for i := range data {
			data[i] = byte(i + 1)
		}
		if err := store.WriteBytes(name, data); err != nil {
			t.Fatal(err)
		}
		if err := store.ReadBytes(name, got); err != nil || string(got) != string(data) {
			t.Errorf("%s: read %v (%v), want %v", name, got, err, data)
		}
		if err := store.WriteBytes(name, data[1:]); err == nil {
			t.Errorf("%s: %d bytes were accepted", name, bytes-1)
		}
	}
	if err := store.ReadBytes("missing", nil); err == nil {
		t.Error("a state that is not there was read")
	}
}
