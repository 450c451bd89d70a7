package vfstest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// names lists the root with contents: "a=1 b=22".
func names(t *testing.T, m *Mem) string {
	t.Helper()
	entries, err := m.ReadDir("/")
	check(t, err)
	var all []string
	for _, e := range entries {
		data, err := vfs.ReadFile(m, e.Name(), 100)
		check(t, err)
		all = append(all, fmt.Sprintf("%s=%s", e.Name(), data))
	}
	return strings.Join(all, " ")
}

func TestPowerLossKeepsWhatIsSynced(t *testing.T) {
	m := NewMem()
	f, err := m.Create("a")
	check(t, err)
	step := func(what, want string, err error) {
		t.Helper()
		check(t, err)
		if got := names(t, m.PowerLoss(nil)); got != want {
			t.Errorf("after %s: %q, want %q", what, got, want)
		}
	}
	write := func(s string) error { _, err := io.WriteString(f, s); return err }
	step("create", "", nil)
	step("write", "", write("1"))
	step("sync", "", f.Sync())
	step("sync of the directory", "a=1", m.SyncDir("/"))
	step("second write", "a=1", write("2"))
	step("rename", "a=1", m.Rename("a", "b"))
	step("sync of the directory after rename", "b=1", m.SyncDir("/"))
	step("sync through the old handle", "b=12", f.Sync())
	step("truncate", "b=12", f.Truncate(1))
	step("remove", "b=12", m.Remove("b"))
	step("sync of the directory after remove", "", m.SyncDir("/"))
}

// TestPowerLossWithLuck checks what may be left of unsynced work, and that the
// seeds reach all of it.
func TestPowerLossWithLuck(t *testing.T) {
	m := NewMem()
	f, err := m.Create("a")
	check(t, err)
	_, err = io.WriteString(f, "1")
	check(t, err)
	check(t, f.Sync())
	check(t, m.SyncDir("/"))
	_, err = io.WriteString(f, "23")
	check(t, err)
	check(t, m.Rename("a", "b"))
	allowed := map[string]bool{}
	for _, name := range []string{"a", "b"} {
		for _, data := range []string{"1", "12", "123", "1\x00\x00", "12\x00"} {
			allowed[name+"="+data] = true
		}
	}
	seen := map[string]bool{}
	for seed := range uint64(300) {
		got := names(t, m.PowerLoss(rand.New(rand.NewPCG(seed, 0))))
		if !allowed[got] {
			t.Fatalf("seed %d left %q", seed, got)
		}
		seen[got] = true
	}
	if len(seen) != len(allowed) {
		t.Errorf("seeds reach %d of %d outcomes: %v", len(seen), len(allowed), seen)
	}
}

func TestCrashStopsEverything(t *testing.T) {
	m := NewMem()
	fault := NewFault(m)
	f, err := fault.Create("a")
	check(t, err)
	fault.CrashAt(1)
	_, err = io.WriteString(f, "first")
	check(t, err)
	if n, err := io.WriteString(f, "second"); n != 3 || err == nil {
		t.Errorf("the write at the crash wrote %d bytes, %v", n, err)
	}
	if n, err := io.WriteString(f, "third"); n != 0 || err == nil {
		t.Errorf("a write after the crash wrote %d bytes, %v", n, err)
	}
	if fault.Rename("a", "b") == nil || f.Sync() == nil || f.Close() == nil {
		t.Error("something worked after the crash")
	}
	if got := names(t, m); got != "a=firstsec" {
		t.Errorf("left %q", got)
	}
}
