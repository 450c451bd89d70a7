package train

import (
	"maps"
	"path/filepath"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/ways"
)

// chooser is a back end with two products to choose for, of which the first one's fastest
// way is called after the card.
type chooser struct {
	exec.Backend
	card  string
	known exec.Ways // that it was told
	timed bool
	calls int
}

func (c *chooser) Where() string { return "library 1, " + c.card + " with 4 multiprocessors" }

func (c *chooser) Choose(plans []*plan.Plan, known exec.Ways, timed bool) (exec.Chosen, error) {
	c.known, c.timed = maps.Clone(known), timed
	c.calls++
	chosen := exec.Chosen{Ways: exec.Ways{}, Timed: map[string]map[string]float64{}}
	for _, id := range []string{"a", "b"} {
		w, ok := known[id]
		switch {
		case ok:
		case timed:
			w = exec.Way{Name: "fastest on " + c.card, MS: 1, FirstMS: 2}
			chosen.Timed[id] = map[string]float64{w.Name: 1}
		default:
			w = exec.Way{Name: "first"}
		}
		chosen.Ways[id] = w
	}
	return chosen, nil
}

// TestChoices: a run keeps what was chosen for it and goes on with that on such a card,
// whatever the cache says; on another it says that it chose anew; runs share a cache.
func TestChoices(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery = 4, 2
	file := func() ways.File {
		return ways.File{FS: vfs.OS{}, Path: filepath.Join(t.TempDir(), "ways.json")}
	}
	var told *events.Chosen
	var kept *save.Ways
	run := func(cfg Config, card string, f ways.File, resume string) *chooser {
		t.Helper()
		c := &chooser{Backend: backend(t, 1), card: card}
		d := deps(t, 1)
		d.Backend, d.Ways, d.Resume = c, f, resume
		d.Listener.Started = func(s events.Started) { told = s.Chosen }
		r := mustTrain(t, cfg, d)
		kept = r.State.Ways
		if c.calls != 1 {
			t.Errorf("%d choices in a run", c.calls)
		}
		return c
	}
	cache := file()
	c := run(cfg, "A", cache, "none")
	if len(c.known) != 0 || !c.timed || told.Timed != 2 || told.Was != "" || kept.Ways["a"].Name != "fastest on A" || kept.Where != c.Where() {
		t.Errorf("a new run: told %+v, kept %+v", told, kept)
	}
	if n, share := told.Faster(); n != 2 || share != 0.5 {
		t.Errorf("%d ways are faster, by %g", n, share)
	}
	other := file()
	if err := other.Add(c.Where(), exec.Ways{"a": {Name: "of another run"}}); err != nil {
		t.Fatal(err)
	}
	cfg.Train.Steps = 6
	c = run(cfg, "A", other, "auto")
	if c.known["a"].Name != "fastest on A" || told.Timed != 0 || kept.Ways["a"].Name != "fastest on A" {
		t.Errorf("going on: known %+v, told %+v, kept %+v", c.known, told, kept)
	}
	cfg.Train.Steps = 8
	c = run(cfg, "B", cache, "auto")
	if len(c.known) != 0 || told.Timed != 2 || told.Was != "library 1, A with 4 multiprocessors" || kept.Where != c.Where() {
		t.Errorf("on another card: known %+v, told %+v, kept %+v", c.known, told, kept)
	}
	cfg.Train.Steps = 9
	if c = run(cfg, "B", ways.File{}, "auto"); c.timed || c.known["a"].Name != "fastest on B" || kept.Ways["a"].Name != "fastest on B" {
		t.Errorf("without a cache: known %+v, kept %+v", c.known, kept)
	}
	if c = run(cfg, "A", cache, "none"); c.known["b"].Name != "fastest on A" || told.Timed != 0 {
		t.Errorf("with what an earlier run chose: known %+v, told %+v", c.known, told)
	}
	cfg.CUDA.Timing = false
	if c = run(cfg, "A", cache, "none"); len(c.known) != 0 || c.timed || told != nil || kept != nil {
		t.Errorf("cuda.timing: false: known %+v, told %+v, kept %+v", c.known, told, kept)
	}
}
