package rankstest_test

import (
	"errors"
	"sync"
	"testing"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// TestGroup runs every collective on three ranks.
func TestGroup(t *testing.T) {
	each(t, 3, func(g ranks.Group) error {
		x := []float32{float32(g.Rank()), 1}
		if err := g.AllReduce(x); err != nil || x[0] != 3 || x[1] != 3 {
			t.Errorf("rank %d: AllReduce gave %v, %v", g.Rank(), x, err)
		}
		y := []float32{2}
		if err := g.Reduce(y, 1); err != nil || g.Rank() == 1 && y[0] != 6 {
			t.Errorf("rank %d: Reduce gave %v, %v", g.Rank(), y, err)
		}
		b := []byte{byte(g.Rank())}
		all := make([]byte, 3)
		if err := g.AllGather(all, b); err != nil || string(all) != "\x00\x01\x02" {
			t.Errorf("rank %d: AllGather gave %v, %v", g.Rank(), all, err)
		}
		if err := g.Broadcast(b, 2); err != nil || b[0] != 2 {
			t.Errorf("rank %d: Broadcast gave %v, %v", g.Rank(), b, err)
		}
		return g.Barrier()
	})
}

// TestDeath has a rank leave while the others wait for it.
func TestDeath(t *testing.T) {
	groups := rankstest.New(3)
	var wg sync.WaitGroup
	for _, g := range groups[:2] {
		wg.Go(func() {
			if err := g.Barrier(); !errors.Is(err, ranks.ErrPeer) {
				t.Errorf("rank %d: %v, want ErrPeer", g.Rank(), err)
			}
		})
	}
	groups[2].Abort()
	wg.Wait()
}

func each(t *testing.T, n int, f func(ranks.Group) error) {
	t.Helper()
	var wg sync.WaitGroup
	for _, g := range rankstest.New(n) {
		wg.Go(func() {
			if err := f(g); err != nil {
				t.Errorf("rank %d: %v", g.Rank(), err)
			}
		})
	}
	wg.Wait()
}
