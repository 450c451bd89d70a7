package train

import (
	"time"

	"gotrain/data"
	"gotrain/train/checkpoint"
	"gotrain/train/metrics"
	"gotrain/train/ranks"
	"gotrain/train/recipe"
	"gotrain/train/save"
)

// Listener receives what happens in a run, on the goroutine of the loop. Fields
// may be nil. Of several ranks, only rank 0 tells its listener. Package train prints nothing itself.
type Listener struct {
	Phase      func(recipe.Prepared)
	Preparing  func(data.Progress)
	Started    func(Started)
	Step       func(StepEvent)
	Validation func(metrics.Record)
	Sample     func(step int, text string)
	Saved      func(checkpoint.Saved)
	SaveFailed func(error) // the run goes on; older checkpoints are intact
	SaveWaited func(save.Waited)
	LogFailed  func(error) // the run goes on; the lines wait in memory for room on the disk
	Checkpoint func(checkpoint.Event)
	Skipped    func(SkipEvent)
	Straggler  func(ranks.Straggler)
}

// Started describes the run that begins, or goes on at Step.
type Started struct {
	Step, Steps int
	Config      Config
	Job         *recipe.Job
	Forecast    Forecast
	Programs    *Programs
}

// StepEvent is a step of the run. Record is what metrics.jsonl gets.
type StepEvent struct {
	Record metrics.Record
	Steps  int
	ETA    time.Duration
}

// SkipEvent is a step that the guard left out.
type SkipEvent struct {
	Step     int
	Phase    string // of the job, "" for one that is alone
	GradNorm float64
	Limit    float64 // the bound that the norm exceeded, 0 when it was not finite
	Op       string  // the first with a result that is not finite, when there is one
	InARow   int
	From     []data.Origin // of the rows of this rank; valid during the call
}

func notify[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}
