package exec

import (
	"fmt"
	"sort"

	"example.com/gotrain/autograd/ir"
)

// Snapshot holds states of a store as they were at one moment, in memory of the
// process, so that they can be written to disk while steps change the store.
// Reading it does not touch the back end: another goroutine may do so, from one
// Take until the next.
type Snapshot struct {
	store  *Store
	memory []byte
	copied []string             // sorted
	values map[string][]float32 // in memory, or of constant states where they are
	stored map[string][]byte    // the same of states of another type than float32
}

// NewSnapshot allocates a snapshot of the states copied and constant, float32 or stored
// weights.
// The back end must be Hosted if there are constant ones, which nothing may
// change: they are read where they are.
func NewSnapshot(s *Store, copied, constant []string) (*Snapshot, error) {
	p := &Snapshot{store: s, copied: append([]string(nil), copied...), values: map[string][]float32{}, stored: map[string][]byte{}}
	sort.Strings(p.copied)
	for _, name := range constant {
		view, st := s.View(name), s.state[name]
		b, hosted := s.backend.(Hosted)
		switch {
		case view != nil:
			p.values[name] = view
		case hosted && st != nil && st.stored():
			p.stored[name] = b.Memory(st.region())
		default:
			return nil, fmt.Errorf("state %q is no weight in memory of the process: device %s", name, s.backend.Name())
		}
	}
	var sizes []int
	total := 0
	for _, name := range p.copied {
		st := s.state[name]
		if st == nil || st.DType != ir.F32 && !st.stored() {
			return nil, fmt.Errorf("there is no state %q of weights", name)
		}
		words := int(st.Bytes()+3) / 4
		sizes = append(sizes, words)
		total += words
	}
	if total == 0 {
		return p, nil
	}
	var err error
	if p.memory, err = MapMemory(4 * total); err != nil {
		return nil, fmt.Errorf("snapshot of %d bytes: %w", 4*total, err)
	}
	rest := floatsOf(p.memory)
	for i, name := range p.copied {
		words := rest[:sizes[i]:sizes[i]]
		rest = rest[sizes[i]:]
		if st := s.state[name]; st.stored() {
			p.stored[name] = bytesOf(words)[:st.Bytes()]
		} else {
			p.values[name] = words
		}
	}
	return p, nil
}

// Take copies the states as they are now. It allocates nothing.
func (p *Snapshot) Take() error {
	for _, name := range p.copied {
		var err error
		if content, stored := p.stored[name]; stored {
			err = p.store.ReadBytes(name, content)
		} else {
			err = p.store.Read(name, p.values[name])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Bytes is the memory of the copies.
func (p *Snapshot) Bytes() int64 { return int64(len(p.memory)) }

// View returns the elements of a float32 state, nil if the snapshot has none of that name.
func (p *Snapshot) View(name string) []float32 { return p.values[name] }

// ReadAt copies the elements from offset on into dst.
func (p *Snapshot) ReadAt(name string, offset int, dst []float32) error {
	if content, stored := p.stored[name]; stored {
		return decode(p.store.state[name], content, offset, dst)
	}
	v, ok := p.values[name]
	if !ok || offset < 0 || offset+len(dst) > len(v) {
		return fmt.Errorf("the snapshot does not hold the elements [%d, %d) of state %q", offset, offset+len(dst), name)
	}
	copy(dst, v[offset:])
	return nil
}

// Close frees the memory. Nobody may read the snapshot any more.
func (p *Snapshot) Close() error {
	p.values, p.stored = nil, nil
	if len(p.memory) == 0 {
		return nil
	}
	err := UnmapMemory(p.memory)
	p.memory = nil
	return err
}
