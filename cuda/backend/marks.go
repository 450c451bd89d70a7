//go:build gpu

package backend

import (
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/cuda"
)

var _ exec.Marker = (*Backend)(nil)

// marks are events in graphs.
type marks struct {
	backend *Backend
	events  []*cuda.Mark
}

// NewMarks is exec.Marker's.
func (b *Backend) NewMarks(n int) (exec.Marks, error) {
	m := &marks{backend: b, events: make([]*cuda.Mark, n)}
	for i := range m.events {
		mark, err := b.device.NewMark()
		if err != nil {
			return nil, err
		}
		b.marks, m.events[i] = append(b.marks, mark), mark
	}
	return m, nil
}

// Set is exec.Marks'.
func (m *marks) Set(i int) { m.backend.do(m.events[i].Record(m.backend.stream)) }

// Since is exec.Marks'.
func (m *marks) Since(i int) (time.Duration, error) { return m.events[i].Since(m.events[i-1]) }
