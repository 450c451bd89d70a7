package ranks_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

// watched returns three ranks whose reports come through the channel.
func watched(t *testing.T, store ranks.Store) ([]*ranks.Watched, <-chan ranks.Report) {
	reports := make(chan ranks.Report, 3)
	watched := make([]*ranks.Watched, 3)
	for i, g := range rankstest.New(3) {
		watched[i] = ranks.Watch(g, store, ranks.WatchConfig{Host: "host" + string(rune('0'+i)), StoreHost: "host0",
			Timeout: 500 * time.Millisecond, Heartbeat: 200 * time.Millisecond, Stalled: func(r ranks.Report) { reports <- r }})
		watched[i].SetStep(7)
	}
	t.Cleanup(func() {
		for _, w := range watched {
			w.Abort()
			w.Close()
		}
	})
	return watched, reports
}

// meet runs one collective on the ranks, each in a goroutine; it does not wait.
func meet(members []*ranks.Watched) <-chan error {
	errs := make(chan error, len(members))
	for _, w := range members {
		go func() { errs <- w.AllReduce([]float32{1}) }()
	}
	return errs
}

func await(t *testing.T, reports <-chan ranks.Report) ranks.Report {
	t.Helper()
	select {
	case r := <-reports:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("no report")
		return ranks.Report{}
	}
}

// TestWatchBehind has a rank that is alive and does not come to the second collective.
func TestWatchBehind(t *testing.T) {
	members, reports := watched(t, rankstest.NewStore())
	for errs, i := meet(members), 0; i < 3; i++ {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	members[0].SetStep(8)
	meet(members[:2])
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

// TestWatchSilent has a rank that sends no more heartbeats.
func TestWatchSilent(t *testing.T) {
	members, reports := watched(t, rankstest.NewStore())
	if err := members[1].Close(); err != nil {
		t.Fatal(err)
	}
	meet([]*ranks.Watched{members[0], members[2]})
	r := await(t, reports)
	if h := r.Hanging(); len(h) != 1 || h[0].Rank != 1 || !h[0].Silent || !strings.Contains(r.String(), "rank 1 on host1 hangs: no heartbeat for") {
		t.Errorf("%+v\n%s", h, r)
	}
}

// deaf is a store that is gone.
type deaf struct{ ranks.Store }

var errDeaf = errors.New("connection refused")

func (deaf) Set(context.Context, string, []byte) error         { return errDeaf }
func (deaf) Has(context.Context, ...string) (bool, error)      { return false, errDeaf }
func (deaf) Get(ctx context.Context, _ string) ([]byte, error) { return nil, errDeaf }
func (deaf) Add(context.Context, string, int64) (int64, error) { return 0, errDeaf }

// TestWatchStore names the machine of a store that does not answer.
func TestWatchStore(t *testing.T) {
	members, reports := watched(t, deaf{})
	meet(members[:1])
	r := await(t, reports)
	if !errors.Is(r.StoreErr, errDeaf) || !strings.Contains(r.String(), "the store on host0 does not answer") {
		t.Errorf("%v\n%s", r.StoreErr, r)
	}
}

// mute is a rank whose engine tells the others nothing: what it waits for ends by its
// own Abort alone.
type mute struct {
	ranks.Group
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
	store := rankstest.NewStore()
	var members []*ranks.Watched
	for _, g := range rankstest.New(3) {
		w := ranks.Watch(&mute{Group: g, ended: make(chan struct{})}, store, ranks.WatchConfig{Heartbeat: 50 * time.Millisecond})
		defer w.Close()
		members = append(members, w)
	}
	errs := meet(members[:2])
	members[2].Abort()
	for range 2 {
		select {
		case err := <-errs:
			if !errors.Is(err, ranks.ErrPeer) || !strings.Contains(err.Error(), "rank 2 gave up") {
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
	reports := make(chan ranks.Report, 2)
	members := make([]*ranks.Watched, 2)
	store := rankstest.NewStore()
	for i, g := range rankstest.New(2) {
		members[i] = ranks.Watch(g, store, ranks.WatchConfig{Host: "host", Timeout: time.Hour, Heartbeat: 100 * time.Millisecond, Stalled: func(r ranks.Report) { reports <- r }})
		members[i].SetStep(1)
	}
	errs := meet(members)
	for range members {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	suspected := make(chan struct{})
	go func() { members[0].Suspect(); close(suspected) }()
	time.Sleep(300 * time.Millisecond) // both live: there is nothing to suspect
	if err := members[1].Close(); err != nil {
		t.Fatal(err)
	}
	meet(members[:1])
	r := await(t, reports)
	if h := r.Hanging(); len(h) != 1 || h[0].Rank != 1 || !h[0].Silent || r.Collective != "AllReduce" || r.Sequence != 2 {
		t.Errorf("%+v\n%s", h, r)
	}
	<-suspected
	members[0].Abort()
	if err := members[0].Close(); err != nil {
		t.Fatal(err)
	}
	members[0].Suspect() // of a closed group, it returns
}

// TestWatchQuiet runs collectives that are on time.
func TestWatchQuiet(t *testing.T) {
	members, reports := watched(t, rankstest.NewStore())
	for range 5 {
		for errs, i := meet(members), 0; i < 3; i++ {
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
	r := ranks.Report{Ranks: []ranks.RankState{{Rank: 0, Sequence: 4, Inside: true, Started: true}, {Rank: 1, Sequence: 4, Inside: true, Started: true}}}
	if h := r.Hanging(); len(h) != 0 || !strings.Contains(r.String(), "network") {
		t.Errorf("%v\n%s", h, r)
	}
	r.Ranks = append(r.Ranks, ranks.RankState{Rank: 2, Silent: true})
	if !strings.Contains(r.String(), "rank 2 hangs: it never sent a heartbeat") {
		t.Errorf("%s", r)
	}
}
