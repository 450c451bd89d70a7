package cpu

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
)

// mapFrom is the size from which a buffer is a mapping of its own: its pages
// are zero without being written, and go back to the system when it is freed.
const mapFrom = 1 << 20

// buffer is memory of the back end.
type buffer struct{ data []byte }

// Bytes is part of exec.Buffer.
func (b *buffer) Bytes() int64 { return int64(len(b.data)) }

// memory keeps the mappings that are alive.
type memory struct {
	mu     sync.Mutex
	mapped map[*byte][]byte // by first byte
}

func (m *memory) alloc(bytes int64) (*buffer, error) {
	if bytes < 0 || bytes > math.MaxInt-plan.Align {
		return nil, fmt.Errorf("cpu: cannot allocate %d bytes", bytes)
	}
	if bytes < mapFrom {
		return &buffer{exec.AlignedMemory(int(bytes))}, nil
	}
	data, err := exec.MapMemory(int(bytes))
	if err != nil {
		return nil, fmt.Errorf("cpu: allocate %d bytes: %w", bytes, err)
	}
	b := &buffer{data}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mapped == nil {
		m.mapped = map[*byte][]byte{}
	}
	m.mapped[&data[0]] = data
	runtime.AddCleanup(b, m.free, &data[0])
	return b, nil
}

// free unmaps the buffer that begins at first, unless close has done so. A
// failure leaves the pages mapped, which harms nobody.
func (m *memory) free(first *byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data, ok := m.mapped[first]; ok {
		delete(m.mapped, first)
		_ = exec.UnmapMemory(data)
	}
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for first, data := range m.mapped {
		delete(m.mapped, first)
		errs = append(errs, exec.UnmapMemory(data))
	}
	return errors.Join(errs...)
}
