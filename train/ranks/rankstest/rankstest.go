// Package rankstest has groups and a store for tests: the ranks are goroutines of
// one process. Sums are in the order of ranks.
package rankstest

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"example.com/gotrain/train/ranks"
)

// New returns the groups of n ranks, one for each goroutine that plays one.
func New(n int) []*Group {
	r := &room{parts: make([]any, n), left: n}
	r.turn = sync.NewCond(&r.mu)
	groups := make([]*Group, n)
	for i := range groups {
		groups[i] = &Group{room: r, rank: i}
	}
	return groups
}

// Group is one rank.
type Group struct {
	room *room
	rank int
	// Before, when set, runs before each collective, named as the method is. Its
	// error is the collective's: it is for planting faults.
	Before func(collective string) error
}

var _ ranks.Group = (*Group)(nil)

// room is where the ranks wait for each other in a collective.
type room struct {
	mu    sync.Mutex
	turn  *sync.Cond
	parts []any // what each rank brought
	left  int   // ranks that are still to come
	round int
	dead  error
}

// meet brings part and waits for those of all ranks; use then reads them, and
// nobody goes on before all have used them.
func (g *Group) meet(name string, part any, use func(parts []any) error) error {
	if g.Before != nil {
		if err := g.Before(name); err != nil {
			g.Abort()
			return err
		}
	}
	if err := g.room.gather(g.rank, part); err != nil {
		return err
	}
	err := use(g.room.parts)
	if err := g.room.gather(-1, nil); err != nil {
		return err
	}
	return err
}

func (r *room) gather(rank int, part any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead != nil {
		return r.dead
	}
	if rank >= 0 {
		r.parts[rank] = part
	}
	r.left--
	if round := r.round; r.left > 0 {
		for r.round == round && r.dead == nil {
			r.turn.Wait()
		}
		if r.round == round {
			return r.dead
		}
		return nil
	}
	r.left = len(r.parts)
	r.round++
	r.turn.Broadcast()
	return nil
}

// Rank is the number of this rank.
func (g *Group) Rank() int { return g.rank }

// Size is the number of ranks.
func (g *Group) Size() int { return len(g.room.parts) }

// AllReduce sums.
func (g *Group) AllReduce(x []float32) error { return g.sum("AllReduce", x, -1) }

// Reduce sums to root; the others keep their x.
func (g *Group) Reduce(x []float32, root int) error { return g.sum("Reduce", x, root) }

func (g *Group) sum(name string, x []float32, root int) error {
	mine := append([]float32(nil), x...)
	return g.meet(name, mine, func(parts []any) error {
		for i, p := range parts {
			if n := len(p.([]float32)); n != len(x) {
				return fmt.Errorf("rankstest: %s: rank %d has %d elements, rank %d %d", name, g.rank, len(x), i, n)
			}
		}
		if root >= 0 && root != g.rank {
			return nil
		}
		clear(x)
		for _, p := range parts {
			for i, v := range p.([]float32) {
				x[i] += v
			}
		}
		return nil
	})
}

// Broadcast copies root's x.
func (g *Group) Broadcast(x []byte, root int) error {
	return g.meet("Broadcast", append([]byte(nil), x...), func(parts []any) error {
		from := parts[root].([]byte)
		if len(from) != len(x) {
			return fmt.Errorf("rankstest: Broadcast: rank %d has %d bytes, the root %d", g.rank, len(x), len(from))
		}
		copy(x, from)
		return nil
	})
}

// AllGather joins the ranks' src.
func (g *Group) AllGather(dst, src []byte) error {
	if len(dst) != len(src)*g.Size() {
		return fmt.Errorf("rankstest: AllGather: %d bytes of %d ranks into %d", len(src), g.Size(), len(dst))
	}
	return g.meet("AllGather", append([]byte(nil), src...), func(parts []any) error {
		for i, p := range parts {
			copy(dst[i*len(src):], p.([]byte))
		}
		return nil
	})
}

// Barrier waits for all ranks.
func (g *Group) Barrier() error {
	return g.meet("Barrier", nil, func([]any) error { return nil })
}

// Abort makes the collectives of all ranks fail, as the death of this one does.
func (g *Group) Abort() {
	r := g.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead == nil {
		r.dead = fmt.Errorf("rank %d: %w", g.rank, ranks.ErrPeer)
	}
	r.turn.Broadcast()
}

// Close does nothing.
func (g *Group) Close() error { return nil }

// Store is a table in memory.
type Store struct {
	mu     sync.Mutex
	change chan struct{} // closed at the next Set
	values map[string][]byte
}

var _ ranks.Store = (*Store)(nil)

// NewStore returns an empty table.
func NewStore() *Store { return &Store{change: make(chan struct{}), values: map[string][]byte{}} }

// Set gives key a value.
func (s *Store) Set(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(key, value)
	return nil
}

func (s *Store) set(key string, value []byte) {
	s.values[key] = append([]byte(nil), value...)
	close(s.change)
	s.change = make(chan struct{})
}

// Get waits for a value.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	for {
		s.mu.Lock()
		value, ok := s.values[key]
		change := s.change
		s.mu.Unlock()
		if ok {
			return append([]byte(nil), value...), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-change:
		}
	}
}

// Add counts.
func (s *Store) Add(_ context.Context, key string, n int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.values[key]; ok {
		was, err := strconv.ParseInt(string(old), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("rankstest: %q is no number: %w", key, err)
		}
		n += was
	}
	s.set(key, strconv.AppendInt(nil, n, 10))
	return n, nil
}

// Has looks keys up.
func (s *Store) Has(_ context.Context, keys ...string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if _, ok := s.values[key]; !ok {
			return false, nil
		}
	}
	return true, nil
}
