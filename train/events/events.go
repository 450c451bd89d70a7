// Package events has what a run tells while it goes, for whoever shows or records it.
package events

import (
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// Listener receives what happens in a run, on the goroutine of the loop. Fields
// may be nil. Of several ranks, only rank 0 tells its listener.
type Listener struct {
	Phase      func(recipe.Prepared)
	Preparing  func(data.Progress)
	Started    func(Started)
	Step       func(Step)
	Validation func(metrics.Record)
	Remark     func(step int, text string) // what an evaluation means
	Sample     func(step int, text string)
	Saved      func(checkpoint.Saved)
	SaveFailed func(error) // the run goes on; older checkpoints are intact
	SaveWaited func(save.Waited)
	LogFailed  func(error) // the run goes on; the lines wait in memory for room on the disk
	Checkpoint func(checkpoint.Event)
	Skipped    func(Skip)
	Straggler  func(ranks.Straggler)
}

// Started describes the run that begins, or goes on at Step.
type Started struct {
	Step, Steps int
	Config      config.Config
	Job         *recipe.Job
	Forecast    engine.Forecast
	Programs    *engine.Programs
	Changes     []config.Change // with which the run goes on otherwise than until now
	Chosen      *Chosen         // nil where nothing was chosen by timing
}

// Chosen is how the back end computes what it has several ways for.
type Chosen struct {
	Where   string    // the library and the card
	Was     string    // those of the checkpoint, where they are others: it was chosen anew
	Ways    exec.Ways // by what they compute
	Timed   int       // now; the others were known
	Seconds float64   // that it took
	NotKept string    // why later runs will time them again, "" for no reason
}

// Faster counts the ways that are not the first, and tells the share of the time of all
// that were timed which they save together.
func (c *Chosen) Faster() (n int, share float64) {
	var first, now float64
	for _, w := range c.Ways {
		if w.MS < w.FirstMS {
			n++
		}
		first, now = first+w.FirstMS, now+w.MS
	}
	if first == 0 {
		return n, 0
	}
	return n, 1 - now/first
}

// Step is a step of the run. Record is what metrics.jsonl gets.
type Step struct {
	Record metrics.Record
	Steps  int
	ETA    time.Duration
}

// Skip is a step that the guard left out.
type Skip struct {
	Step     int
	Phase    string // of the job, "" for one that is alone
	GradNorm float64
	Limit    float64 // the bound that the norm exceeded, 0 when it was not finite
	Op       string  // the first with a result that is not finite, when there is one
	InARow   int
	From     []data.Origin // of the rows of this rank; valid during the call
}

// Result is how a run ended.
type Result struct {
	Config     config.Config // of the run, with what the data told
	State      save.State
	Validation *metrics.Record // the last one, nil without held-out text
	Checkpoint string          // the newest
	Elapsed    time.Duration   // of the steps made now
	Steps      int             // made now
	Early      bool            // ended by train.patience
	Best       string          // link to the best checkpoint, "" without train.patience
	Forecast   engine.Forecast
	Next       func(model string) string // the command that a user may want next, nil for none
}

// Notify calls f with v, unless it is nil.
func Notify[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}
