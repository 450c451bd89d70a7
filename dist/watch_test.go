package dist_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"gotrain/dist"
	"gotrain/dist/disttest"
)

// watched returns three ranks whose reports come through the channel.
func watched(t *testing.T, store dist.Store) ([]*dist.Watched, <-chan dist.Report) {
	reports := make(chan dist.Report, 3)
	ranks := make([]*dist.Watched, 3)
	for i, g := range disttest.New(3) {
		ranks[i] = dist.Watch(g, store, dist.WatchConfig{Host: "host" + string(rune('0'+i)), StoreHost: "host0",
			Timeout: 500 * time.Millisecond, Beat: 200 * time.Millisecond, Stalled: func(r dist.Report) { reports <- r }})
		ranks[i].SetStep(7)
	}
	t.Cleanup(func() {
		for _, w := range ranks {
			w.Abort()
			w.Close()
		}
	})
	return ranks, reports
}

// meet runs one collective on the ranks, each in a goroutine; it does not wait.
func meet(ranks []*dist.Watched) <-chan error {
	errs := make(chan error, len(ranks))
	for _, w := range ranks {
		go func() { errs <- w.AllReduce([]float32{1}) }()
	}
	return errs
}

func await(t *testing.T, reports <-chan dist.Report) dist.Report {
	t.Helper()
	select {
	case r := <-reports:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("no report")
		return dist.Report{}
	}
}

// TestWatchBehind has a rank that lives and does not come to the second collective.
func TestWatchBehind(t *testing.T) {
	ranks, reports := watched(t, disttest.NewStore())
	for errs, i := meet(ranks), 0; i < 3; i++ {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	ranks[0].SetStep(8)
	meet(ranks[:2])
	r := await(t, reports)
	h := r.Hanging()
	if len(h) != 1 || h[0].Rank != 2 || h[0].Silent || h[0].Inside || h[0].Step != 7 || h[0].Sequence != 1 {
		t.Fatalf("%+v", h)
	}
	for _, want := range []string{"in AllReduce (collective 2)", "rank 2 on host2 hangs at step 7, after AllReduce (collective 1); its process is alive"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("%s\nlacks %q", r, want)
		}
	}
}

// TestWatchSilent has a rank that gives no more signs of life.
func TestWatchSilent(t *testing.T) {
	ranks, reports := watched(t, disttest.NewStore())
	if err := ranks[1].Close(); err != nil {
		t.Fatal(err)
	}
	meet([]*dist.Watched{ranks[0], ranks[2]})
	r := await(t, reports)
	if h := r.Hanging(); len(h) != 1 || h[0].Rank != 1 || !h[0].Silent || !strings.Contains(r.String(), "rank 1 on host1 hangs: no sign of life since") {
		t.Errorf("%+v\n%s", h, r)
	}
}

// deaf is a store that is gone.
type deaf struct{ dist.Store }

var errDeaf = errors.New("connection refused")

func (deaf) Set(context.Context, string, []byte) error         { return errDeaf }
func (deaf) Has(context.Context, ...string) (bool, error)      { return false, errDeaf }
func (deaf) Get(ctx context.Context, _ string) ([]byte, error) { return nil, errDeaf }
func (deaf) Add(context.Context, string, int64) (int64, error) { return 0, errDeaf }

// TestWatchStore names the machine of a store that does not answer.
func TestWatchStore(t *testing.T) {
	ranks, reports := watched(t, deaf{})
	meet(ranks[:1])
	r := await(t, reports)
	if !errors.Is(r.StoreErr, errDeaf) || !strings.Contains(r.String(), "the store on host0 does not answer") {
		t.Errorf("%v\n%s", r.StoreErr, r)
	}
}

// mute is a rank whose engine tells the others nothing: what it waits for ends by its
// own Abort alone.
type mute struct {
	dist.Group
	ended chan struct{}
	once  sync.Once
}

func (m *mute) AllReduce([]float32) error {
	<-m.ended
	return errors.New("ended")
}

func (m *mute) Abort() { m.once.Do(func() { close(m.ended) }) }

// TestWatchAbort has a rank give up while the others wait for it.
func TestWatchAbort(t *testing.T) {
	store := disttest.NewStore()
	var ranks []*dist.Watched
	for _, g := range disttest.New(3) {
		w := dist.Watch(&mute{Group: g, ended: make(chan struct{})}, store, dist.WatchConfig{Beat: 50 * time.Millisecond})
		defer w.Close()
		ranks = append(ranks, w)
	}
	errs := meet(ranks[:2])
	ranks[2].Abort()
	for range 2 {
		select {
		case err := <-errs:
			if !errors.Is(err, dist.ErrPeer) || !strings.Contains(err.Error(), "rank 2 gave up") {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("a rank waits for one that gave up")
		}
	}
}

// TestDoubt asks a rank to stop that waits for one that has gone, long before the
// collective is over time.
func TestDoubt(t *testing.T) {
	reports := make(chan dist.Report, 2)
	ranks := make([]*dist.Watched, 2)
	store := disttest.NewStore()
	for i, g := range disttest.New(2) {
		ranks[i] = dist.Watch(g, store, dist.WatchConfig{Host: "host", Timeout: time.Hour, Beat: 100 * time.Millisecond, Stalled: func(r dist.Report) { reports <- r }})
		ranks[i].SetStep(1)
	}
	errs := meet(ranks)
	for range ranks {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	doubted := make(chan struct{})
	go func() { ranks[0].Doubt(); close(doubted) }()
	time.Sleep(300 * time.Millisecond) // both live: there is no doubt
	if err := ranks[1].Close(); err != nil {
		t.Fatal(err)
	}
	meet(ranks[:1])
	r := await(t, reports)
	if h := r.Hanging(); len(h) != 1 || h[0].Rank != 1 || !h[0].Silent || r.Collective != "AllReduce" || r.Sequence != 2 {
		t.Errorf("%+v\n%s", h, r)
	}
	<-doubted
	ranks[0].Abort()
	if err := ranks[0].Close(); err != nil {
		t.Fatal(err)
	}
	ranks[0].Doubt() // of a closed group, it returns
}

// TestWatchQuiet runs collectives that are on time.
func TestWatchQuiet(t *testing.T) {
	ranks, reports := watched(t, disttest.NewStore())
	for range 5 {
		for errs, i := meet(ranks), 0; i < 3; i++ {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(600 * time.Millisecond)
	select {
	case r := <-reports:
		t.Errorf("a report although all is well:\n%s", r)
	default:
	}
}

func TestReportAllInside(t *testing.T) {
	r := dist.Report{Ranks: []dist.RankState{{Rank: 0, Sequence: 4, Inside: true, Started: true}, {Rank: 1, Sequence: 4, Inside: true, Started: true}}}
	if h := r.Hanging(); len(h) != 0 || !strings.Contains(r.String(), "network") {
		t.Errorf("%v\n%s", h, r)
	}
	r.Ranks = append(r.Ranks, dist.RankState{Rank: 2, Silent: true})
	if !strings.Contains(r.String(), "rank 2 hangs: it never gave a sign of life") {
		t.Errorf("%s", r)
	}
}
