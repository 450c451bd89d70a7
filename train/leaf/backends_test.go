package leaf

import (
	"context"
	"errors"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// room is what the ranks of a run meet in.
type room struct {
	size   int
	groups []*rankstest.Group
	store  *rankstest.Store
}

func newRoom(size int) room { return room{size, rankstest.New(size), rankstest.NewStore()} }

// seat is what one rank has in a room: its group, nil in a room for one, and its
// back end.
type seat struct {
	group   ranks.Group
	backend exec.Backend
}

// close leaves the room; after a failure of its own, it ends what the others wait for.
func (s seat) close(failure error) error {
	if s.group == nil {
		return s.backend.Close()
	}
	if failure != nil {
		s.group.Abort()
	}
	return errors.Join(s.backend.Close(), s.group.Close())
}

// opener opens what a rank needs.
type opener func(ctx context.Context, r room, rank int) (seat, error)

// openers are those of the devices that the leaves run on, by name.
func openers() map[string]opener {
	all := map[string]opener{"cpu": func(_ context.Context, r room, rank int) (s seat, err error) {
		c := cpu.Config{Threads: 1}
		if r.size > 1 {
			s.group, c.Ranks = r.groups[rank], r.groups[rank]
		}
		s.backend, err = cpu.New(c)
		return s, err
	}}
	if open := gpus(); open != nil {
		all["cuda"] = open
	}
	return all
}
