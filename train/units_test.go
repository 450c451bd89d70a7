package train

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/recipe"
)

// TestNumbersOfSources: units and passes of each source, beside what the record had; a job of one source has none.
func TestNumbersOfSources(t *testing.T) {
	asked := uint64(0)
	r := &run{job: &recipe.Job{Unit: recipe.Unit{PerSample: 16}, Drawn: func(samples uint64) []data.Drawn {
		asked = samples
		return []data.Drawn{{Name: "a", Samples: 30, Windows: 40}, {Name: "b", Samples: 10, Windows: 4}}
	}}}
	r.state.Samples = 40
	before := metrics.Values{{Name: "nll", Value: 3}}
	rec := r.withSources(metrics.Record{Values: before})
	for name, want := range map[string]float64{"nll": 3, "seen_a": 480, "epochs_a": 0.75, "seen_b": 160, "epochs_b": 2.5} {
		if got := rec.Get(name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	if asked != 40 || len(rec.Values) != 5 || len(before) != 1 {
		t.Errorf("asked for %d samples, %d values", asked, len(rec.Values))
	}
	r.job.Drawn = nil
	if rec := r.withSources(metrics.Record{Values: before}); len(rec.Values) != 1 {
		t.Errorf("of one source %+v", rec)
	}
}

// TestTimeLeft: what is left takes as long a step as what was made since the run began, not since step 0.
func TestTimeLeft(t *testing.T) {
	r := &run{}
	r.cfg.Train.Steps = 100
	for _, c := range []struct {
		step, first int
		elapsed     time.Duration
		want        time.Duration
	}{{10, 0, 20 * time.Second, 180 * time.Second}, {60, 50, 20 * time.Second, 80 * time.Second}, {50, 50, 3 * time.Second, 150 * time.Second}, {100, 0, time.Hour, 0}} {
		r.state.Step = c.step
		if got := r.eta(c.elapsed, c.first); got != c.want {
			t.Errorf("at step %d, begun at %d: %v, want %v", c.step, c.first, got, c.want)
		}
	}
	for _, c := range []struct {
		n, step int
		want    bool
	}{{0, 5, false}, {5, 5, true}, {5, 6, false}, {1, 3, true}, {-1, 3, false}} {
		if every(c.n, c.step) != c.want {
			t.Errorf("every %d at step %d", c.n, c.step)
		}
	}
	if orUnknown("") != "no single op" || orUnknown("x") != "x" {
		t.Error("names of ops")
	}
}

// TestStoppedBeforeTheFirstStep: an error is that of the stop where the context ended, else itself.
func TestStoppedBeforeTheFirstStep(t *testing.T) {
	broken := errors.New("broken")
	stopped, stop := context.WithCancel(t.Context())
	if Stopped(stopped, broken) != broken || Stopped(stopped, nil) != nil {
		t.Error("a run that goes on is stopped")
	}
	stop()
	if err := Stopped(stopped, broken); !errors.Is(err, ErrStopped) || !errors.Is(err, broken) || !strings.Contains(err.Error(), "it had not begun to train") {
		t.Error(err)
	}
	if Stopped(stopped, nil) != nil {
		t.Error("what was done is stopped")
	}
}
