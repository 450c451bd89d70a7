package ranks_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// coordinate runs do on n ranks at once.
func coordinate(n int, do func(rank int, c *ranks.Coordinator)) {
	var wg sync.WaitGroup
	for rank, group := range rankstest.New(n) {
		wg.Go(func() { do(rank, ranks.Coordinate(group)) })
	}
	wg.Wait()
}

// TestExchange: each rank has every field of every rank's notice, twice with numbers of
// their own, and with another number of sums.
func TestExchange(t *testing.T) {
	notice := func(rank, round, sums int) ranks.Notice {
		n := ranks.Notice{Seconds: float64(rank) + 0.1, Hash: math.MaxUint64 - uint64(rank+10*round)<<40, Sums: make([]float64, sums)}
		n.Stop, n.Asks, n.Save = (rank+round)%4 == 0, (rank+round)%4 == 1, (rank+round)%4 == 2
		for i := range n.Sums {
			n.Sums[i] = 1.0/3 + float64(100*round+10*rank+i)
		}
		return n
	}
	coordinate(4, func(rank int, c *ranks.Coordinator) {
		for round, sums := range []int{3, 3, 0, 1} {
			got, err := c.Exchange(notice(rank, round, sums))
			if err != nil {
				t.Error(err)
				return
			}
			want := make([]float64, sums)
			for other, n := range got {
				mine := notice(other, round, sums)
				for i := range want {
					want[i] += mine.Sums[i]
				}
				if !reflect.DeepEqual(n, mine) {
					t.Errorf("rank %d has %+v of rank %d, want %+v", rank, n, other, mine)
				}
			}
			for range 2 {
				if total := c.Sum(got); !slices.Equal(total, want) {
					t.Errorf("rank %d: %v in all, want %v", rank, total, want)
				}
			}
		}
	})
}

// TestAgreement: one rank's wish to stop or to save is everybody's, a save asks when
// those of all do, whichever ranks these are.
func TestAgreement(t *testing.T) {
	const n = 3
	for bits := range 1 << n {
		coordinate(n, func(rank int, c *ranks.Coordinator) {
			mine := bits>>rank&1 == 1
			for field, notice := range []ranks.Notice{{Stop: mine}, {Asks: mine}, {Save: mine}} {
				notice.Sums = []float64{float64(rank), 1}
				want := ranks.Notice{Sums: []float64{3, n}, Stop: field == 0 && bits > 0, Asks: field == 1 && bits == 1<<n-1, Save: field == 2 && bits > 0}
				if got, err := c.Agree(notice); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("ranks %03b of field %d: rank %d has %+v, %v; want %+v", bits, field, rank, got, err, want)
				}
			}
		})
	}
	if got, err := ranks.Coordinate(nil).Agree(ranks.Notice{Sums: []float64{5}, Stop: true, Asks: true}); err != nil || !got.Stop || !got.Asks || got.Save || got.Sums[0] != 5 {
		t.Errorf("alone: %+v, %v", got, err)
	}
}

// TestTogether has every set of ranks fail: those have their own error, the others one
// that names them all.
func TestTogether(t *testing.T) {
	const n = 3
	for bits := range 1 << n {
		coordinate(n, func(rank int, c *ranks.Coordinator) {
			var mine error
			if bits>>rank&1 == 1 {
				mine = fmt.Errorf("reason %d", rank)
			}
			got := c.Together(mine)
			switch {
			case mine != nil:
				if got != mine {
					t.Errorf("%03b: rank %d has %v, want its own", bits, rank, got)
				}
			case bits == 0:
				if got != nil {
					t.Errorf("rank %d: %v", rank, got)
				}
			default:
				var want []string
				for other := range n {
					if bits>>other&1 == 1 {
						want = append(want, fmt.Sprintf("rank %d failed: reason %d", other, other))
					}
				}
				if !errors.Is(got, ranks.ErrPeer) || got.Error() != strings.Join(want, "; ") {
					t.Errorf("%03b: rank %d has %v, want %q", bits, rank, got, want)
				}
			}
		})
	}
}

// TestByFirst: rank 0 alone works; all have its result, or know of its error.
func TestByFirst(t *testing.T) {
	broken := errors.New("disk full")
	for _, fault := range []error{nil, broken} {
		var mu sync.Mutex
		var worked []int
		coordinate(3, func(rank int, c *ranks.Coordinator) {
			got, err := c.ByFirst(func() (string, error) {
				mu.Lock()
				defer mu.Unlock()
				worked = append(worked, rank)
				return fmt.Sprint("of rank ", rank), fault
			})
			switch {
			case fault == nil:
				if err != nil || got != "of rank 0" {
					t.Errorf("rank %d has %q, %v", rank, got, err)
				}
			case rank == 0 && err != broken || rank > 0 && (!errors.Is(err, ranks.ErrPeer) || !strings.Contains(err.Error(), "rank 0 failed: disk full")) || got != "":
				t.Errorf("rank %d has %q, %v", rank, got, err)
			}
		})
		if !slices.Equal(worked, []int{0}) {
			t.Errorf("ranks %v worked", worked)
		}
	}
	if got, err := ranks.Coordinate(nil).ByFirst(func() (string, error) { return "alone", nil }); got != "alone" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	coordinate(2, func(rank int, c *ranks.Coordinator) {
		got, err := c.ExchangeTexts(fmt.Sprint("text ", rank), nil)
		if err != nil || !slices.Equal(got, []string{"text 0", "text 1"}) {
			t.Errorf("rank %d has %q, %v", rank, got, err)
		}
	})
}

// TestInTurn: on three nodes of two ranks rank 0 works first, then ranks 2 and 4, then
// all others; no turn begins before the one before is over.
func TestInTurn(t *testing.T) {
	turns := []int{0, 2, 1, 2, 1, 2}
	var mu sync.Mutex
	var began, ended []int
	coordinate(6, func(rank int, c *ranks.Coordinator) {
		err := c.InTurn(rank%2, func() error {
			mu.Lock()
			began = append(began, rank)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			for _, other := range began {
				if turns[other] < turns[rank] && !slices.Contains(ended, other) {
					t.Errorf("rank %d works beside rank %d", rank, other)
				}
			}
			for other := range turns {
				if turns[other] < turns[rank] && !slices.Contains(ended, other) {
					t.Errorf("rank %d works before rank %d", rank, other)
				}
				if turns[other] > turns[rank] && slices.Contains(began, other) {
					t.Errorf("rank %d works after rank %d", rank, other)
				}
			}
			ended = append(ended, rank)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if slices.Sort(ended); !slices.Equal(ended, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("ranks %v worked", ended)
	}
	// Nobody works after a rank that failed.
	var worked []int
	coordinate(4, func(rank int, c *ranks.Coordinator) {
		err := c.InTurn(rank%2, func() error {
			mu.Lock()
			defer mu.Unlock()
			if worked = append(worked, rank); rank == 2 {
				return errors.New("no room")
			}
			return nil
		})
		if err == nil {
			t.Errorf("rank %d does not know", rank)
		}
	})
	if !slices.Equal(worked, []int{0, 2}) {
		t.Errorf("ranks %v worked", worked)
	}
}

// TestAgreeOnEveryFact: a fact may be missing on the first rank, have no cure and stand
// behind others; each that differs is named once.
func TestAgreeOnEveryFact(t *testing.T) {
	for rank, err := range agree(3, func(rank int) []ranks.Fact {
		facts := []ranks.Fact{{Name: "a", Value: "1"}, {Name: "b", Value: fmt.Sprint(rank)}, {Name: "c", Value: "", Cure: "cure"}}
		if rank > 0 {
			facts = append([]ranks.Fact{{Name: "d", Value: "x", Cure: "pass it"}}, facts...)
		}
		return facts
	}) {
		const want = "the ranks disagree: b is 0 on rank 0, 1 on rank 1, 2 on rank 2: ; d is nothing on rank 0, x on ranks 1-2: pass it"
		if err == nil || err.Error() != want {
			t.Errorf("rank %d: %v\nwant %s", rank, err, want)
		}
	}
}

// TestHanging: silent ranks hang, whatever the others do; else those that are not in the
// newest collective.
func TestHanging(t *testing.T) {
	const silent, outside = 1, 2
	for _, c := range []struct {
		sequences, states, want []int
	}{
		{[]int{4, 4, 4}, []int{0, 0, 0}, nil},
		{[]int{4, 3, 4}, []int{0, 0, 0}, []int{1}},
		{[]int{4, 3, 2}, []int{0, 0, 0}, []int{1, 2}},
		{[]int{4, 4, 4}, []int{0, 0, outside}, []int{2}},
		{[]int{3, 4, 3}, []int{outside, 0, 0}, []int{0, 2}},
		{[]int{4, 3, 4}, []int{0, 0, silent}, []int{2}},
		{[]int{4, 3, 2}, []int{silent, outside, silent}, []int{0, 2}},
	} {
		var r ranks.Report
		for i, sequence := range c.sequences {
			r.Ranks = append(r.Ranks, ranks.RankState{Rank: i, Sequence: sequence, Started: true, Inside: c.states[i] != outside, Silent: c.states[i] == silent})
		}
		var got []int
		for _, s := range r.Hanging() {
			got = append(got, s.Rank)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("collectives %v, states %v: ranks %v hang, want %v", c.sequences, c.states, got, c.want)
		}
	}
}

// TestTasksOfNodes: a rank's machine has the number of tasks at its place in Slurm's
// list, a run of equal machines counted.
func TestTasksOfNodes(t *testing.T) {
	want := []int{2, 2, 2, 1, 4, 4}
	for node, n := range want {
		l, err := ranks.Detect(lookup(fmt.Sprintf("%s SLURM_STEP_NUM_TASKS=15 SLURM_NODEID=%d SLURM_STEP_TASKS_PER_NODE=2(x3),1,4(x2)", slurmVars, node)))
		if err != nil || l.LocalSize != n {
			t.Errorf("node %d: %+v, %v; want %d tasks", node, l, err, n)
		}
	}
	// The first machine of a list without the numbers of tasks of a step, an attempt of
	// Open MPI on two machines, and torchrun that says nothing of its store.
	l, err := ranks.Detect(lookup(slurmVars + "SLURM_STEP_NUM_TASKS= SLURM_NTASKS=5 SLURM_STEP_TASKS_PER_NODE= SLURM_TASKS_PER_NODE=1,4 SLURM_STEP_NODELIST= SLURM_JOB_NODELIST=m[3-4] MASTER_PORT=9"))
	if err != nil || l.Size != 5 || l.LocalSize != 4 || l.Endpoint != "m3:9" {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = ranks.Detect(lookup("OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=6 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2 MASTER_ADDR=h MASTER_PORT=9"))
	if want := (ranks.Launch{Launcher: "openmpi", Rank: 5, Size: 6, LocalRank: 1, LocalSize: 2, Endpoint: "h:9", ID: "openmpi"}); err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = ranks.Detect(lookup(torchrunVars + "TORCHELASTIC_USE_AGENT_STORE="))
	if err != nil || !l.Served {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = ranks.Detect(lookup("PMI_RANK=5 PMI_SIZE=6 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=3 SLURM_JOB_ID=4 SLURM_RESTART_COUNT=2 MASTER_ADDR=h MASTER_PORT=9"))
	if want := (ranks.Launch{Launcher: "mpich", Rank: 5, Size: 6, LocalRank: 1, LocalSize: 3, Endpoint: "h:9", ID: "mpich-4-2", Restarts: 2}); err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = ranks.Detect(lookup("RANK=5 WORLD_SIZE=6 LOCAL_RANK=1 LOCAL_WORLD_SIZE=3 MASTER_ADDR=h MASTER_PORT=9"))
	if want := (ranks.Launch{Launcher: "environment", Rank: 5, Size: 6, LocalRank: 1, LocalSize: 3, Endpoint: "h:9", ID: "environment-h"}); err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
}
