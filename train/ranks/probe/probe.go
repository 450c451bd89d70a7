// Package probe examines the ranks of a cluster before a run: whether they have the
// same program and configuration, their clocks and disks, the links between
// neighbours, and sums over all ranks.
//
// [Probe.Examine] runs on all ranks at once; rank 0 gets the [Report], whose findings
// name what a person should look at.
package probe

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
)

// Sizes are the messages, in bytes, that a Probe sums over all ranks by default.
var Sizes = []int{4, 64 << 10, 1 << 20, 16 << 20, 64 << 20}

// Probe examines a group of ranks, seen from one of them.
type Probe struct {
	Group ranks.Group
	Store ranks.Store // its keys are for this examination alone
	// Pair opens the group of two ranks, of which this is one, that meet in store.
	Pair  func(ctx context.Context, store ranks.Store, rank int) (ranks.Group, error)
	Host  string
	Dir   string       // whose disk is measured
	Facts []ranks.Fact // that have to be alike on all ranks
	Sizes []int        // of all-reduces, in bytes
}

// Report is what an examination found.
type Report struct {
	Ranks     []Rank           `json:"ranks"`
	AllReduce []Reduction      `json:"all_reduce"`
	Links     []Link           `json:"links"`
	Findings  []device.Finding `json:"findings"`
}

// Rank is one rank's machine.
type Rank struct {
	Rank      int     `json:"rank"`
	Host      string  `json:"host"`
	ClockS    float64 `json:"clock_s"` // ahead of rank 0's
	DiskMBs   float64 `json:"disk_mb_per_s"`
	DiskError string  `json:"disk_error,omitempty"`
}

// Reduction is an all-reduce over the whole group.
type Reduction struct {
	Bytes  int     `json:"bytes"`
	TimeMS float64 `json:"time_ms"`
	// BusGBs is 2·(n−1)/n · bytes / time: what each link of a ring of n carries.
	BusGBs float64 `json:"bus_gb_per_s"`
}

// Link is the link between two neighbours.
type Link struct {
	From      int     `json:"from"`
	To        int     `json:"to"`
	LatencyUS float64 `json:"latency_us"` // of an exchange of 8 bytes
	GBs       float64 `json:"gb_per_s"`   // in each direction, both at once
	Error     string  `json:"error,omitempty"`
}

// Examine is called on all ranks; the report is rank 0's. When ctx ends it fails.
func (p *Probe) Examine(ctx context.Context) (*Report, error) {
	defer context.AfterFunc(ctx, p.Group.Abort)() // a link that is down would hold up a collective for ever
	disagreement := ranks.Agree(p.Group, p.Facts)
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, disagreement)
	}
	var report Report
	clocks, err := p.clocks()
	if err != nil {
		return nil, fmt.Errorf("clocks: %w", err)
	}
	for _, size := range p.Sizes {
		r, err := p.allReduce(size)
		if err != nil {
			return nil, fmt.Errorf("all-reduce of %d bytes: %w", size, err)
		}
		report.AllReduce = append(report.AllReduce, r)
	}
	if report.Links, err = p.links(ctx); err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	// All ranks write at once, as they do at a checkpoint.
	own := Rank{Rank: p.Group.Rank(), Host: p.Host, ClockS: clocks[p.Group.Rank()]}
	if own.DiskMBs, err = device.DiskSpeed(p.Dir); err != nil {
		own.DiskError = err.Error()
	}
	if err := p.publish(ctx, fmt.Sprint("rank/", own.Rank), own); err != nil {
		return nil, err
	}
	if p.Group.Rank() == 0 {
		report.Ranks = make([]Rank, p.Group.Size())
		for i := range report.Ranks {
			if err := p.collect(ctx, fmt.Sprint("rank/", i), &report.Ranks[i]); err != nil {
				return nil, err
			}
		}
		report.judge(disagreement)
	}
	return &report, p.Group.Barrier()
}

func (p *Probe) publish(ctx context.Context, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.Store.Set(ctx, key, text)
}

func (p *Probe) collect(ctx context.Context, key string, v any) error {
	text, err := p.Store.Get(ctx, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// clocks returns how far, in seconds, each rank's clock is ahead of rank 0's: all
// read theirs as they leave a barrier, and the median of some rounds counts, so it
// is as good as the barrier is short.
func (p *Probe) clocks() ([]float64, error) {
	const rounds = 9
	size := p.Group.Size()
	ahead := make([][]float64, size)
	all := make([]byte, 8*size)
	for range rounds {
		if err := p.Group.Barrier(); err != nil {
			return nil, err
		}
		now := binary.LittleEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
		if err := p.Group.AllGather(all, now); err != nil {
			return nil, err
		}
		first := int64(binary.LittleEndian.Uint64(all))
		for i := range ahead {
			ahead[i] = append(ahead[i], float64(int64(binary.LittleEndian.Uint64(all[8*i:]))-first)/1e9)
		}
	}
	medians := make([]float64, size)
	for i, rounds := range ahead {
		medians[i] = median(rounds)
	}
	return medians, nil
}
