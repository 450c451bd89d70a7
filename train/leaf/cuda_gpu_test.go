//go:build gpu

package leaf

import (
	"context"
	"errors"

	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/backend"
	"example.com/gotrain/train/ranks/nccl"
)

// gpus opens a GPU for each rank; nil where there are not two.
func gpus() opener {
	if infos, err := cuda.Devices(); err != nil || len(infos) < 2 {
		return nil
	}
	return func(ctx context.Context, r room, rank int) (s seat, err error) {
		c := backend.Config{Device: rank}
		if r.size > 1 {
			g, err := nccl.Open(ctx, nccl.Config{Rank: rank, Size: r.size, Device: rank, Store: r.store})
			if err != nil {
				return s, err
			}
			s.group, c.Comm = g, g.Comm()
		}
		if s.backend, err = backend.Open(c); err != nil && s.group != nil {
			err = errors.Join(err, s.group.Close())
		}
		return s, err
	}
}
