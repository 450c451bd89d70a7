package train

import (
	"encoding/binary"
	"fmt"
	"math"

	"gotrain/dist"
)

// Place is a process among the ranks of a run. The zero Place is that of one
// that trains alone.
type Place struct{ Rank, Size int }

func (p Place) size() int { return max(p.Size, 1) }

// first tells whether this rank is the one that writes the run's files.
func (p Place) first() bool { return p.Rank == 0 }

// report is what each rank tells all others before and after a step.
type report struct {
	NLL     float64 // its part of the mean over the step, nats
	Targets int64   // of its share of the step
	Bytes   int64   // of text, in evaluations
	Seconds float64 // it computed, waiting for others left out
	Hash    uint64  // of its parameters, 0 when none is due
	Stop    bool    // it was asked to stop
}

const reportBytes = 6 * 8

// encode writes the report, little endian.
func (r report) encode(b []byte) {
	stop := uint64(0)
	if r.Stop {
		stop = 1
	}
	for i, x := range []uint64{math.Float64bits(r.NLL), uint64(r.Targets), uint64(r.Bytes), math.Float64bits(r.Seconds), r.Hash, stop} {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
}

func decodeReport(b []byte) report {
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return report{
		NLL: math.Float64frombits(at(0)), Targets: int64(at(1)), Bytes: int64(at(2)),
		Seconds: math.Float64frombits(at(3)), Hash: at(4), Stop: at(5) != 0,
	}
}

// council is how the ranks agree: each tells its report and hears all, so that
// all decide alike.
type council struct {
	group   dist.Group
	all     []byte
	reports []report
}

// newCouncil returns the council of group; nil is a process that is alone.
func newCouncil(group dist.Group) *council {
	if group == nil {
		group = dist.Local{}
	}
	n := group.Size()
	return &council{group: group, all: make([]byte, n*reportBytes), reports: make([]report, n)}
}

// place is where this rank stands.
func (c *council) place() Place { return Place{c.group.Rank(), c.group.Size()} }

// meet tells mine and returns the reports of all ranks, valid until the next call.
func (c *council) meet(mine report) ([]report, error) {
	own := c.all[c.group.Rank()*reportBytes:][:reportBytes]
	mine.encode(own)
	if err := c.group.AllGather(c.all, append([]byte(nil), own...)); err != nil {
		return nil, fmt.Errorf("agreement of the ranks: %w", err)
	}
	for i := range c.reports {
		c.reports[i] = decodeReport(c.all[i*reportBytes:])
	}
	return c.reports, nil
}

// total adds up reports in the order of ranks; one wish to stop is everybody's.
func total(reports []report) report {
	var t report
	for _, r := range reports {
		t.NLL += r.NLL
		t.Targets += r.Targets
		t.Bytes += r.Bytes
		t.Stop = t.Stop || r.Stop
	}
	return t
}
