package metrics

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"syscall"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

// TestEventsAreTensorBoards compares with testdata/golden.tfevents, which
// testdata/golden.py wrote with TensorBoard's own protocol buffers.
func TestEventsAreTensorBoards(t *testing.T) {
	want, err := os.ReadFile("testdata/golden.tfevents")
	check(t, err)
	fsys := vfstest.NewMem()
	e := NewEvents(fsys, EventsConfig{Dir: ".", Time: start, Host: "node1", PID: 42, PurgeFrom: 31})
	check(t, e.Scalars(start, 31, Scalar{"train/nll", 3.25}, Scalar{"train/lr", 0.001}))
	if want := "events.out.tfevents.1700000000.node1.42"; e.Path() != want {
		t.Errorf("file is %s, want %s", e.Path(), want)
	}
	e.Settings("runs/a", "**batch** 16", []Setting{{"model.family", "gpt2"}, {"optimizer.lr", 0.001}, {"train.recompute", true}})
	check(t, e.Scalars(start, 32, Scalar{"train/nll", 3}))
	check(t, e.Close())
	if got := read(t, fsys, e.Path()); got != string(want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// point is a point of a curve as TensorBoard shows it.
type point struct {
	tag   string
	step  int64
	value float32
}

// points reads event files as TensorBoard does: a START purges the steps from its
// own on, and a torn record at the end of a file is ignored.
func points(t *testing.T, files ...[]byte) []point {
	t.Helper()
	var shown []point
	for _, file := range files {
		for len(file) >= 12 {
			n := binary.LittleEndian.Uint64(file)
			if binary.LittleEndian.Uint32(file[8:]) != maskedCRC(file[:8]) {
				t.Fatal("checksum of a length")
			}
			if uint64(len(file)) < 16+n {
				break
			}
			data := file[12 : 12+n]
			if binary.LittleEndian.Uint32(file[12+n:]) != maskedCRC(data) {
				t.Fatal("checksum of a record")
			}
			file = file[16+n:]
			shown = show(t, shown, data)
		}
	}
	return shown
}

func show(t *testing.T, shown []point, data []byte) []point {
	t.Helper()
	var step int64
	var values [][]byte
	purge := false
	fields(t, data, func(field protowire.Number, v uint64, b []byte) {
		switch field {
		case eventStep:
			step = int64(v)
		case eventSessionLog:
			purge = true
		case eventSummary:
			fields(t, b, func(_ protowire.Number, _ uint64, b []byte) { values = append(values, b) })
		}
	})
	if purge {
		shown = slices.DeleteFunc(shown, func(p point) bool { return p.step >= step })
	}
	for _, value := range values {
		p := point{step: step}
		fields(t, value, func(field protowire.Number, v uint64, b []byte) {
			switch field {
			case valueTag:
				p.tag = string(b)
			case valueSimple:
				p.value = math.Float32frombits(uint32(v))
			}
		})
		shown = append(shown, p)
	}
	return shown
}

// fields calls do for each field of a message.
func fields(t *testing.T, data []byte, do func(field protowire.Number, v uint64, b []byte)) {
	t.Helper()
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		data = data[n:]
		var v uint64
		var v32 uint32
		var b []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(data)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(data)
		case protowire.Fixed32Type:
			v32, n = protowire.ConsumeFixed32(data)
			v = uint64(v32)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(data)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		do(field, v, b)
		data = data[n:]
	}
}

func TestNoPointTwiceAfterResume(t *testing.T) {
	fsys := vfstest.NewMem()
	session := func(pid int, from, to int64) []byte {
		e := NewEvents(fsys, EventsConfig{Dir: ".", Time: start, Host: "node1", PID: pid, PurgeFrom: from})
		for step := max(from, 1); step <= to; step++ {
			check(t, e.Record(train(step)))
		}
		check(t, e.Record(val(to)))
		check(t, e.Close())
		return []byte(read(t, fsys, e.Path()))
	}
	killed := session(1, 0, 35)
	killed = append(killed, killed[:20]...) // a record that the kill tore
	resumed := session(2, 31, 40)
	got := points(t, killed, resumed)
	seen := map[string]bool{}
	for _, p := range got {
		key := fmt.Sprint(p.tag, p.step)
		if seen[key] {
			t.Errorf("%s twice", key)
		}
		seen[key] = true
	}
	// Seven curves of train in each step; of val, whose grad_norm, step_ms and
	// mfu are not finite, five in the last.
	if want := 40*7 + 5; len(got) != want {
		t.Errorf("%d points, want %d", len(got), want)
	}
	if !slices.Contains(got, point{"val/bits_per_byte", 40, 1.5}) || !slices.Contains(got, point{"train/ppl", 12, 2}) {
		t.Errorf("points are missing in %v", got)
	}
}

func TestEventFilesAreNotOverwritten(t *testing.T) {
	fsys := vfstest.NewMem()
	var names []string
	for range 3 {
		e := NewEvents(fsys, EventsConfig{Dir: ".", Time: start, Host: "h", PID: 7})
		check(t, e.Close())
		if e.Path() != "" {
			t.Errorf("an event file without events: %s", e.Path())
		}
		e = NewEvents(fsys, EventsConfig{Dir: ".", Time: start, Host: "h", PID: 7})
		check(t, e.Scalars(start, 1, Scalar{"a", 1}))
		check(t, e.Close())
		names = append(names, e.Path())
	}
	base := "events.out.tfevents.1700000000.h.7"
	if want := []string{base, base + ".1", base + ".2"}; !slices.Equal(names, want) {
		t.Fatalf("files %v, want %v", names, want)
	}
}

func TestEventsOnAFullDisk(t *testing.T) {
	var fsys vfs.FS = vfstest.NewMem()
	fault := vfstest.NewFault(fsys)
	e := NewEvents(fault, EventsConfig{Dir: ".", Time: start, Host: "h", PID: 7})
	fault.FailAt(3, syscall.ENOSPC)
	failures := 0
	for step := int64(1); step <= 10; step++ {
		if e.Scalars(start, step, Scalar{"a", 1}) != nil {
			failures++
		}
	}
	check(t, e.Close())
	got := points(t, bytes.Clone([]byte(read(t, fsys, e.Path()))))
	if failures != 1 || len(got) != 10 {
		t.Fatalf("%d errors, points %v", failures, got)
	}
}
