package ranks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// WatchConfig says how a rank is watched.
type WatchConfig struct {
	// Host is the name of this machine, for reports.
	Host string
	// StoreHost is where the store is served, for the report of its failure.
	StoreHost string
	// Timeout is the longest time that a collective may take from the first SetStep
	// on: before, ranks wait for one that prepares data as long as it takes. 0 is no
	// limit.
	Timeout time.Duration
	// Heartbeat is the time between two heartbeats; 0 is 5 seconds.
	Heartbeat time.Duration
	// Stalled is called once, from a goroutine, when a collective takes longer than
	// Timeout, or when Suspect finds that it waits for a silent rank. It usually prints
	// the report and ends the process: the collective may never return.
	Stalled func(Report)
}

// Watched is a group whose collectives are timed. Each rank writes a heartbeat, what
// it does and at which step, into the store at "heartbeat/RANK" every few seconds.
type Watched struct {
	Group
	store Store
	cfg   WatchConfig
	stop  context.CancelFunc
	done  chan struct{} // closed when the last heartbeat is written

	abortedBy atomic.Pointer[string] // "rank 2"

	once  sync.Once // for Stalled
	mu    sync.Mutex
	now   heartbeat
	began time.Time // the newest collective
}

// heartbeat is what a rank writes of itself.
type heartbeat struct {
	Count      int       // of heartbeats
	Host       string    // where the rank runs
	Step       int       // as SetStep had it
	Collective string    // name of the newest collective
	Sequence   int       // number of the newest collective, from 1
	Inside     bool      // it has not returned
	Time       time.Time // by the rank's clock
}

// Watch begins to watch a group; keys of the store belong to this attempt at the run.
// Close ends it and closes g.
func Watch(g Group, store Store, cfg WatchConfig) *Watched {
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 5 * time.Second
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Watched{Group: g, store: store, cfg: cfg, stop: stop, done: make(chan struct{}), now: heartbeat{Host: cfg.Host}}
	go w.beat(ctx)
	return w
}

// SetStep notes the step of training, from 1, that this rank is at.
func (w *Watched) SetStep(step int) {
	w.mu.Lock()
	w.now.Step = step
	w.mu.Unlock()
}

// AllReduce is the group's, watched.
func (w *Watched) AllReduce(x []float32) error {
	return w.Wait("AllReduce", func() error { return w.Group.AllReduce(x) })
}

// Reduce is the group's, watched.
func (w *Watched) Reduce(x []float32, root int) error {
	return w.Wait("Reduce", func() error { return w.Group.Reduce(x, root) })
}

// Broadcast is the group's, watched.
func (w *Watched) Broadcast(x []byte, root int) error {
	return w.Wait("Broadcast", func() error { return w.Group.Broadcast(x, root) })
}

// AllGather is the group's, watched.
func (w *Watched) AllGather(dst, src []byte) error {
	return w.Wait("AllGather", func() error { return w.Group.AllGather(dst, src) })
}

// Barrier is the group's, watched.
func (w *Watched) Barrier() error {
	return w.Wait("Barrier", w.Group.Barrier)
}

// Wait calls wait, which returns when a collective of the group is done, watched. It
// is for what was begun elsewhere on the group's engine, too.
func (w *Watched) Wait(collective string, wait func() error) error {
	defer w.watch(collective)()
	err := wait()
	if by := w.abortedBy.Load(); err != nil && by != nil {
		return fmt.Errorf("%s gave up: %w: %w", *by, ErrPeer, err)
	}
	return err
}

// Abort is the group's. Ranks that the engine does not tell of it read it in the
// store within a heartbeat, and abort their group.
func (w *Watched) Abort() {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.Heartbeat)
	defer cancel()
	// A store that fails leaves the others to their own watch.
	_ = w.store.Set(ctx, abortKey, []byte(w.name()))
	w.Group.Abort()
}

const abortKey = "abort"

func (w *Watched) name() string { return fmt.Sprint("rank ", w.Rank()) }

// followAbort aborts the group when another rank did.
func (w *Watched) followAbort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*w.cfg.Heartbeat)
	defer cancel()
	if there, err := w.store.Has(ctx, abortKey); err != nil || !there || w.abortedBy.Load() != nil {
		return
	}
	if by, err := w.store.Get(ctx, abortKey); err == nil && string(by) != w.name() {
		text := string(by)
		w.abortedBy.Store(&text)
		w.Group.Abort()
	}
}

// Close ends the heartbeats and closes the group.
func (w *Watched) Close() error {
	w.stop()
	<-w.done
	return w.Group.Close()
}

// watch notes the begin of a collective; the function that it returns, its end.
func (w *Watched) watch(collective string) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.Collective, w.now.Inside = collective, true
	w.now.Sequence++
	w.began = time.Now()
	sequence := w.now.Sequence
	stop := func() bool { return true }
	if w.now.Step > 0 && w.cfg.Timeout > 0 {
		stop = time.AfterFunc(w.cfg.Timeout, func() { w.expire(sequence) }).Stop
	}
	return func() {
		stop()
		w.mu.Lock()
		w.now.Inside = false
		w.mu.Unlock()
	}
}

func (w *Watched) expire(sequence int) {
	w.mu.Lock()
	stalled := w.now.Inside && w.now.Sequence == sequence
	w.mu.Unlock()
	if stalled {
		w.once.Do(func() { w.cfg.Stalled(w.report()) })
	}
}

// Suspect is for a rank that was asked to stop, as launchers do when another one has
// died. An engine does not always notice that a peer is gone: as long as the group is
// not closed, Suspect looks for a silent rank while this one is in a collective, and
// calls Stalled within a few heartbeats instead of after Timeout.
func (w *Watched) Suspect() {
	for {
		r := w.report()
		silent := slices.ContainsFunc(r.Ranks, func(s RankState) bool { return s.Silent })
		if r.Inside && (silent || r.StoreErr != nil) {
			w.once.Do(func() { w.cfg.Stalled(r) })
			return
		}
		select {
		case <-w.done:
			return
		case <-time.After(w.cfg.Heartbeat):
		}
	}
}

// beat writes heartbeats until ctx ends.
func (w *Watched) beat(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(w.cfg.Heartbeat)
	defer tick.Stop()
	for {
		w.writeHeartbeat(ctx)
		w.followAbort(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Watched) writeHeartbeat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*w.cfg.Heartbeat)
	defer cancel()
	w.mu.Lock()
	w.now.Count++
	w.now.Time = time.Now()
	text, err := json.Marshal(w.now)
	w.mu.Unlock()
	if err == nil {
		// A store that fails is no reason to stop: the report of the next stall says so.
		_ = w.store.Set(ctx, heartbeatKey(w.Rank()), text)
	}
}

func heartbeatKey(rank int) string { return "heartbeat/" + strconv.Itoa(rank) }

// report reads the heartbeats of all ranks twice, more than one apart: a rank whose
// count stands still is silent, and what the others do is fresh. It takes the time of
// a few heartbeats, whatever the store does.
func (w *Watched) report() Report {
	r := Report{Rank: w.Rank(), Host: w.cfg.Host, StoreHost: w.cfg.StoreHost}
	before, err := w.heartbeats()
	if err == nil {
		time.Sleep(w.cfg.Heartbeat * 3 / 2)
		var after []heartbeat
		after, err = w.heartbeats()
		if err == nil {
			r.Ranks = states(before, after, time.Now())
		}
	}
	r.StoreErr = err
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Step, r.Collective, r.Sequence, r.Inside, r.Waited = w.now.Step, w.now.Collective, w.now.Sequence, w.now.Inside, time.Since(w.began)
	return r
}

// heartbeats reads what all ranks wrote last; a rank that never wrote has Count 0.
func (w *Watched) heartbeats() ([]heartbeat, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*w.cfg.Heartbeat)
	defer cancel()
	all := make([]heartbeat, w.Size())
	for rank := range all {
		there, err := w.store.Has(ctx, heartbeatKey(rank))
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		text, err := w.store.Get(ctx, heartbeatKey(rank))
		if err == nil {
			err = json.Unmarshal(text, &all[rank])
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// states tells what the ranks did between two readings of their heartbeats.
func states(before, after []heartbeat, now time.Time) []RankState {
	all := make([]RankState, len(after))
	for rank, b := range after {
		all[rank] = RankState{Rank: rank, Host: b.Host, Step: b.Step, Collective: b.Collective, Sequence: b.Sequence,
			Inside: b.Inside, Silent: b.Count == before[rank].Count, Started: b.Count > 0}
		if b.Count > 0 {
			all[rank].Age = max(0, now.Sub(b.Time))
		}
	}
	return all
}
