package dist

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
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
	// Beat is the time between two signs of life; 0 is 5 seconds.
	Beat time.Duration
	// Stalled is called once, from a goroutine, when a collective takes longer than
	// Timeout. It usually prints the report and ends the process: the collective
	// may never return.
	Stalled func(Report)
}

// Watched is a group whose collectives are timed. Each rank writes a sign of life,
// what it does and at which step, into the store at "beat/RANK" every few seconds.
type Watched struct {
	Group
	store Store
	cfg   WatchConfig
	stop  context.CancelFunc
	done  chan struct{} // closed when the last beat is written

	once sync.Once // for Stalled
	mu   sync.Mutex
	now  beat
}

// beat is a sign of life.
type beat struct {
	Count      int       // of beats
	Host       string    // where the rank runs
	Step       int       // as SetStep had it
	Collective string    // name of the newest collective
	Sequence   int       // number of the newest collective, from 1
	Inside     bool      // it has not returned
	Time       time.Time // by the rank's clock
}

// Watch begins to watch a group; keys of the store belong to this life of the run.
// Close ends it and closes g.
func Watch(g Group, store Store, cfg WatchConfig) *Watched {
	if cfg.Beat == 0 {
		cfg.Beat = 5 * time.Second
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Watched{Group: g, store: store, cfg: cfg, stop: stop, done: make(chan struct{}), now: beat{Host: cfg.Host}}
	go w.live(ctx)
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
	defer w.watch("AllReduce")()
	return w.Group.AllReduce(x)
}

// Reduce is the group's, watched.
func (w *Watched) Reduce(x []float32, root int) error {
	defer w.watch("Reduce")()
	return w.Group.Reduce(x, root)
}

// Broadcast is the group's, watched.
func (w *Watched) Broadcast(x []byte, root int) error {
	defer w.watch("Broadcast")()
	return w.Group.Broadcast(x, root)
}

// AllGather is the group's, watched.
func (w *Watched) AllGather(dst, src []byte) error {
	defer w.watch("AllGather")()
	return w.Group.AllGather(dst, src)
}

// Barrier is the group's, watched.
func (w *Watched) Barrier() error {
	defer w.watch("Barrier")()
	return w.Group.Barrier()
}

// Wait calls wait, which returns when collectives that were begun elsewhere on the
// engine of the group are done, watched.
func (w *Watched) Wait(collective string, wait func() error) error {
	defer w.watch(collective)()
	return wait()
}

// Close ends the signs of life and closes the group.
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

// live writes beats until ctx ends.
func (w *Watched) live(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(w.cfg.Beat)
	defer tick.Stop()
	for {
		w.beat(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Watched) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*w.cfg.Beat)
	defer cancel()
	w.mu.Lock()
	w.now.Count++
	w.now.Time = time.Now()
	text, err := json.Marshal(w.now)
	w.mu.Unlock()
	if err == nil {
		// A store that fails is no reason to stop: the report of the next stall says so.
		_ = w.store.Set(ctx, beatKey(w.Rank()), text)
	}
}

func beatKey(rank int) string { return "beat/" + strconv.Itoa(rank) }

// report reads the beats of all ranks twice, more than one beat apart: a rank whose
// count stands still is silent, and what the others do is fresh. It takes a few
// beats of time, whatever the store does.
func (w *Watched) report() Report {
	w.mu.Lock()
	r := Report{Rank: w.Rank(), Host: w.cfg.Host, Step: w.now.Step, Collective: w.now.Collective, Sequence: w.now.Sequence,
		Timeout: w.cfg.Timeout, StoreHost: w.cfg.StoreHost}
	w.mu.Unlock()
	before, err := w.beats()
	if err == nil {
		time.Sleep(w.cfg.Beat * 3 / 2)
		var after []beat
		after, err = w.beats()
		if err == nil {
			r.Ranks = states(before, after, time.Now())
		}
	}
	r.StoreErr = err
	return r
}

// beats reads what all ranks wrote last; a rank that never wrote has Count 0.
func (w *Watched) beats() ([]beat, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*w.cfg.Beat)
	defer cancel()
	all := make([]beat, w.Size())
	for rank := range all {
		there, err := w.store.Has(ctx, beatKey(rank))
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		text, err := w.store.Get(ctx, beatKey(rank))
		if err == nil {
			err = json.Unmarshal(text, &all[rank])
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// states tells what the ranks did between two readings of their beats.
func states(before, after []beat, now time.Time) []RankState {
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
