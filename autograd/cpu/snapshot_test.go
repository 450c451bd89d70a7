package cpu

import (
	"slices"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// notHosted is a back end that says nothing of where its memory is.
type notHosted struct{ exec.Backend }

// TestSnapshot changes states after one was taken: copied ones stay, constant ones
// are read where they are.
func TestSnapshot(t *testing.T) {
	b, err := New(Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	store := exec.NewStore(b)
	const big = 3 * copyGrain / 4 // elements: more than one thread copies
	fill := func(to float32) {
		for name, size := range map[string]int{"big": big, "small": 3, "still": 5} {
			if _, err := store.Ensure(name, ir.F32, ir.Shape{size}); err != nil {
				t.Fatal(err)
			}
			values := make([]float32, size)
			for i := range values {
				values[i] = to + float32(i%1000)
			}
			if err := store.Write(name, values); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(1)
	s, err := exec.NewSnapshot(store, []string{"small", "big"}, []string{"still"})
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(4 * (big + 3)); s.Bytes() != want {
		t.Errorf("the snapshot takes %d bytes, want %d", s.Bytes(), want)
	}
	if err := s.Take(); err != nil {
		t.Fatal(err)
	}
	fill(2)
	if v := s.View("big"); len(v) != big || v[0] != 1 || v[big-1] != 1+float32((big-1)%1000) {
		t.Errorf("big ends with %v", v[len(v)-1:])
	}
	part := make([]float32, 2)
	if err := s.ReadAt("small", 1, part); err != nil || !slices.Equal(part, []float32{2, 3}) {
		t.Errorf("small[1:3] is %v, %v", part, err)
	}
	if v := s.View("still"); v[0] != 2 {
		t.Errorf("still is a copy: %v", v)
	}
	for _, bad := range []struct {
		name   string
		offset int
	}{{"small", 2}, {"small", -1}, {"none", 0}} {
		if err := s.ReadAt(bad.name, bad.offset, part); err == nil {
			t.Errorf("%s[%d:] was read", bad.name, bad.offset)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := exec.NewSnapshot(store, []string{"none"}, nil); err == nil {
		t.Error("a state that is not there was snapshot")
	}
	elsewhere := exec.NewStore(notHosted{b})
	if _, err := elsewhere.Ensure("still", ir.F32, ir.Shape{5}); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.NewSnapshot(elsewhere, nil, []string{"still"}); err == nil {
		t.Error("a state that is not in memory of the process counts as constant")
	}
}
