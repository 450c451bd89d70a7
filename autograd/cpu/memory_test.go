package cpu

import (
	"runtime"
	"testing"
	"time"
)

// TestUnreachableBuffersAreUnmapped drops mapped buffers: the collector finds
// them and their pages go back.
func TestUnreachableBuffersAreUnmapped(t *testing.T) {
	var m memory
	kept, err := m.alloc(mapFrom)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := m.alloc(mapFrom); err != nil {
			t.Fatal(err)
		}
	}
	mapped := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.mapped)
	}
	for range 1000 { // cleanups run some time after a collection
		runtime.GC()
		if mapped() == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := mapped(); n != 1 {
		t.Errorf("%d buffers are mapped, want the one that is kept", n)
	}
	kept.data[0] = 1
	if err := m.close(); err != nil {
		t.Error(err)
	}
	if n := mapped(); n != 0 {
		t.Errorf("%d buffers are mapped after close", n)
	}
}
