package train

import (
	"encoding/binary"
	"fmt"
	"gotrain/autograd/mesh"
	"math"
	"strings"

	"gotrain/train/ranks"
)

// report is what each rank tells all others before and after a step.
type report struct {
	NLL     float64 // its part of the mean over the step, nats
	Targets int64   // of its share of the step
	Bytes   int64   // of text, in evaluations
	Seconds float64 // it computed, waiting for others left out
	Hash    uint64  // of its parameters, 0 when none is due
	Stop    bool    // it was asked to stop
	Asks    bool    // its save in flight waits for the others
}

const reportBytes = 6 * 8

// Bits of the last word of an encoded report.
const (
	reportStop = 1 << iota
	reportAsks
)

// encode writes the report, little endian.
func (r report) encode(b []byte) {
	var bits uint64
	if r.Stop {
		bits |= reportStop
	}
	if r.Asks {
		bits |= reportAsks
	}
	for i, x := range []uint64{math.Float64bits(r.NLL), uint64(r.Targets), uint64(r.Bytes), math.Float64bits(r.Seconds), r.Hash, bits} {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
}

func decodeReport(b []byte) report {
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return report{
		NLL: math.Float64frombits(at(0)), Targets: int64(at(1)), Bytes: int64(at(2)),
		Seconds: math.Float64frombits(at(3)), Hash: at(4), Stop: at(5)&reportStop != 0, Asks: at(5)&reportAsks != 0,
	}
}

// coordinator is how the ranks agree: each tells its report and hears all, so that
// all decide alike.
type coordinator struct {
	group   ranks.Group
	own     []byte // of a report
	all     []byte
	reports []report
}

// newCoordinator returns the coordinator of group; nil is a process that is alone.
func newCoordinator(group ranks.Group) *coordinator {
	if group == nil {
		group = ranks.Local{}
	}
	n := group.Size()
	return &coordinator{group: group, own: make([]byte, reportBytes), all: make([]byte, n*reportBytes), reports: make([]report, n)}
}

// rank is where this process stands.
func (c *coordinator) rank() mesh.Rank { return mesh.Of(c.group.Rank(), c.group.Size()) }

// meet tells mine and returns the reports of all ranks, valid until the next call.
func (c *coordinator) meet(mine report) ([]report, error) {
	mine.encode(c.own)
	if err := c.group.AllGather(c.all, c.own); err != nil {
		return nil, fmt.Errorf("agreement of the ranks: %w", err)
	}
	for i := range c.reports {
		c.reports[i] = decodeReport(c.all[i*reportBytes:])
	}
	return c.reports, nil
}

// total adds up reports in the order of ranks; one wish to stop is everybody's, and
// the save of all asks when each of theirs does.
func total(reports []report) report {
	t := report{Asks: true}
	for _, r := range reports {
		t.NLL += r.NLL
		t.Targets += r.Targets
		t.Bytes += r.Bytes
		t.Stop = t.Stop || r.Stop
		t.Asks = t.Asks && r.Asks
	}
	return t
}

// texts tells mine and returns the texts of all ranks.
func (c *coordinator) texts(mine string) ([]string, error) {
	texts, err := ranks.Texts(c.group, mine)
	if err != nil {
		return nil, fmt.Errorf("agreement of the ranks: %w", err)
	}
	return texts, nil
}

// together tells the others whether this rank succeeded, and hears whether they
// did. The result is nil only if it is so on all ranks; it is err where that is
// not nil, and elsewhere a ranks.ErrPeer that names the ranks that failed.
func (c *coordinator) together(err error) error {
	if c.group.Size() == 1 {
		return err
	}
	mine := ""
	if err != nil {
		mine = "failed: " + err.Error()
	}
	texts, meeting := c.texts(mine)
	if err != nil {
		return err
	}
	if meeting != nil {
		return meeting
	}
	var failed []string
	for rank, text := range texts {
		if text != "" {
			failed = append(failed, fmt.Sprintf("rank %d %s", rank, text))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return peersFailed(strings.Join(failed, "; "))
}

// peersFailed names the ranks that failed, and why.
type peersFailed string

func (e peersFailed) Error() string { return string(e) }

// Is makes it a ranks.ErrPeer.
func (e peersFailed) Is(target error) bool { return target == ranks.ErrPeer }

// byFirst has rank 0 alone do the work, and gives all ranks its result or its error.
func (c *coordinator) byFirst(work func() (string, error)) (string, error) {
	var result string
	var err error
	if c.rank().First() {
		result, err = work()
	}
	texts, err := c.exchange(result, err)
	if err != nil {
		return "", err
	}
	return texts[0], nil
}

// exchange returns the texts of all ranks or, if one has failed, an error as
// together does.
func (c *coordinator) exchange(mine string, failed error) ([]string, error) {
	if err := c.together(failed); err != nil {
		return nil, err
	}
	if c.group.Size() == 1 {
		return []string{mine}, nil
	}
	return c.texts(mine)
}

// inTurn has rank 0 do the work, then the first rank of every other node, then
// all that are left, so that files which each of them would make are made once
// for those who see them. localRank counts the ranks of a node.
func (c *coordinator) inTurn(localRank int, work func() error) error {
	mine := c.rank()
	if mine.Alone() {
		return work()
	}
	turn := 2
	switch {
	case mine.First():
		turn = 0
	case localRank == 0:
		turn = 1
	}
	for now := range 3 {
		var err error
		if now == turn {
			err = work()
		}
		if err := c.together(err); err != nil {
			return err
		}
	}
	return nil
}
