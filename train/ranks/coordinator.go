package ranks

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"example.com/gotrain/autograd/mesh"
)

// Notice is what each rank tells all others before and after a step.
type Notice struct {
	// Sums are added up over the ranks: as many numbers on all of them.
	Sums    []float64
	Seconds float64 // it computed, waiting for others left out
	Hash    uint64  // of its parameters, 0 when none is due
	Stop    bool    // it was asked to stop
	Asks    bool    // its save in flight waits for the others
	Save    bool    // it was asked for a checkpoint
}

// Words of an encoded notice before its sums, and bits of the last of them.
const (
	noticeWords = 3

	noticeStop = 1
	noticeAsks = 2
	noticeSave = 4
)

// encode writes the notice into b, little endian.
func (n *Notice) encode(b []byte) {
	var bits uint64
	if n.Stop {
		bits |= noticeStop
	}
	if n.Asks {
		bits |= noticeAsks
	}
	if n.Save {
		bits |= noticeSave
	}
	binary.LittleEndian.PutUint64(b, math.Float64bits(n.Seconds))
	binary.LittleEndian.PutUint64(b[8:], n.Hash)
	binary.LittleEndian.PutUint64(b[16:], bits)
	for i, x := range n.Sums {
		binary.LittleEndian.PutUint64(b[8*(noticeWords+i):], math.Float64bits(x))
	}
}

// decode reads what encode wrote, into sums that are there.
func (n *Notice) decode(b []byte) {
	bits := binary.LittleEndian.Uint64(b[16:])
	n.Seconds, n.Hash = math.Float64frombits(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])
	n.Stop, n.Asks, n.Save = bits&noticeStop != 0, bits&noticeAsks != 0, bits&noticeSave != 0
	for i := range n.Sums {
		n.Sums[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*(noticeWords+i):]))
	}
}

// Coordinator is how the ranks of a group agree: each sends its notice and receives
// all, so that all decide alike. Every rank has to call the same methods in the
// same order.
type Coordinator struct {
	group   Group
	own     []byte // of a notice
	all     []byte
	notices []Notice
	total   []float64
}

// Coordinate returns the coordinator of group; nil is a process that is alone.
func Coordinate(group Group) *Coordinator {
	if group == nil {
		group = Local{}
	}
	return &Coordinator{group: group, notices: make([]Notice, group.Size())}
}

// Group returns the group.
func (c *Coordinator) Group() Group { return c.group }

// Rank is where this process stands.
func (c *Coordinator) Rank() mesh.Rank { return mesh.Of(c.group.Rank(), c.group.Size()) }

// fit makes room for notices of n sums.
func (c *Coordinator) fit(n int) {
	if c.own != nil && len(c.total) == n {
		return
	}
	bytes := 8 * (noticeWords + n)
	c.own, c.all, c.total = make([]byte, bytes), make([]byte, bytes*len(c.notices)), make([]float64, n)
	for i := range c.notices {
		c.notices[i].Sums = make([]float64, n)
	}
}

// Exchange sends mine and returns the notices of all ranks, valid until the next
// call. It allocates nothing while the number of sums stays the same.
func (c *Coordinator) Exchange(mine Notice) ([]Notice, error) {
	c.fit(len(mine.Sums))
	mine.encode(c.own)
	if err := c.group.AllGather(c.all, c.own); err != nil {
		return nil, fmt.Errorf("agreement of the ranks: %w", err)
	}
	for i := range c.notices {
		c.notices[i].decode(c.all[i*len(c.own):])
	}
	return c.notices, nil
}

// Agree is Exchange that adds up: sums in the order of ranks; one wish to stop or to
// save is everybody's, and the save of all asks when each of theirs does.
func (c *Coordinator) Agree(mine Notice) (Notice, error) {
	notices, err := c.Exchange(mine)
	if err != nil {
		return Notice{}, err
	}
	t := Notice{Sums: c.Sum(notices), Asks: true}
	for _, n := range notices {
		t.Stop = t.Stop || n.Stop
		t.Save = t.Save || n.Save
		t.Asks = t.Asks && n.Asks
	}
	return t, nil
}

// Sum adds up the sums of notices in the order of ranks. The result is valid until
// the next call.
func (c *Coordinator) Sum(notices []Notice) []float64 {
	clear(c.total)
	for _, n := range notices {
		for i, x := range n.Sums {
			c.total[i] += x
		}
	}
	return c.total
}

// Texts sends mine and returns the texts of all
func (c *Coordinator) Texts(mine string) ([]string, error) {
	texts, err := Texts(c.group, mine)
	if err != nil {
		return nil, fmt.Errorf("agreement of the ranks: %w", err)
	}
	return texts, nil
}

// Together tells the others whether this rank succeeded, and receives whether they
// did. The result is nil only if it is so on all ranks; it is err where that is
// not nil, and elsewhere a ErrPeer that names the ranks that failed.
func (c *Coordinator) Together(err error) error {
	if c.group.Size() == 1 {
		return err
	}
	mine := ""
	if err != nil {
		mine = "failed: " + err.Error()
	}
	texts, meeting := c.Texts(mine)
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
	return PeersFailed(strings.Join(failed, "; "))
}

// PeersFailed names the ranks that failed, and why.
type PeersFailed string

func (e PeersFailed) Error() string { return string(e) }

// Is makes it a ErrPeer.
func (e PeersFailed) Is(target error) bool { return target == ErrPeer }

// ByFirst has rank 0 alone do the work, and gives all ranks its result or its error.
func (c *Coordinator) ByFirst(work func() (string, error)) (string, error) {
	var result string
	var err error
	if c.Rank().First() {
		result, err = work()
	}
	texts, err := c.ExchangeTexts(result, err)
	if err != nil {
		return "", err
	}
	return texts[0], nil
}

// ExchangeTexts returns the texts of all ranks or, if one has failed, an error as
// Together does.
func (c *Coordinator) ExchangeTexts(mine string, failed error) ([]string, error) {
	if err := c.Together(failed); err != nil {
		return nil, err
	}
	if c.group.Size() == 1 {
		return []string{mine}, nil
	}
	return c.Texts(mine)
}

// InTurn has rank 0 do the work, then the first rank of every other node, then
// all that are left, so that files which each of them would make are made once
// for those who see them. localRank counts the ranks of a node.
func (c *Coordinator) InTurn(localRank int, work func() error) error {
	mine := c.Rank()
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
		if err := c.Together(err); err != nil {
			return err
		}
	}
	return nil
}
