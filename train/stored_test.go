package train

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/train/events"
)

// storedSection is loraSection on a base that is stored.
func storedSection(s nn.Storage) string {
	return strings.TrimSuffix(loraSection, "}") + fmt.Sprintf(", base: %s}", s)
}

// decodedBase writes the base of cfg as it is in memory, in float32, and returns where.
func decodedBase(t *testing.T, cfg Config) string {
	t.Helper()
	b := backend(t, 1)
	plain, err := hub.Load(cfg.Base, "", b, vfs.OS{}, table.Families)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := table.Families.New(nn.SpecOf(plain.Model), nn.Tuning{Adapter: cfg.LoRA})
	if err != nil {
		t.Fatal(err)
	}
	store := exec.NewStore(b)
	params := nn.Base(stored.Params())
	for _, p := range params {
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := hub.LoadParams(store, cfg.Base, params); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "decoded")
	if err := hub.Save(vfs.OS{}, dir, plain.Model, store, plain.Tokenizer); err != nil {
		t.Fatal(err)
	}
	return dir
}

// adapterOf returns the tensors of the adapter that a run has trained.
func adapterOf(t *testing.T, run string) map[string][]byte {
	t.Helper()
	dir, err := hub.FindAdapter(run)
	if err != nil {
		t.Fatal(err)
	}
	return tensors(t, filepath.Join(dir, peft.WeightsFile))
}

// A run on a stored base has the bits of one on the same weights in float32, takes less
// memory, and what it has trained scores as it did, on the base as it was stored.
func TestStoredBase(t *testing.T) {
	for _, storage := range []nn.Storage{nn.BFloat16, nn.Int8, nn.NF4, nn.NF4Double} {
		cfg := finetuneConfig(t, storedSection(storage))
		cfg.Train.Steps = 6
		r := mustTrain(t, cfg, deps(t, 2))

		decoded := cfg
		decoded.Run.Dir += "-decoded"
		decoded.Base = decodedBase(t, cfg)
		decoded.Tokenizer.Path = decoded.Base
		decoded.LoRA.Base = nn.Float32
		want := mustTrain(t, decoded, deps(t, 2))
		if !maps.EqualFunc(adapterOf(t, cfg.Run.Dir), adapterOf(t, decoded.Run.Dir), bytes.Equal) || r.Validation.Get("nll") != want.Validation.Get("nll") {
			t.Errorf("%s: other bits than on the decoded base: %g, %g", storage, r.Validation.Get("nll"), want.Validation.Get("nll"))
		}
		if now, was := r.Forecast.StateBytes, want.Forecast.StateBytes; now >= was {
			t.Errorf("%s: %d bytes of state, of float32 %d", storage, now, was)
		}
		if got := evaluateCheckpoint(t, cfg.Run.Dir, "", cfg); math.Abs(got-r.Validation.Get("nll")) > 1e-6 {
			t.Errorf("%s: the checkpoint scores %g, the run %g", storage, got, r.Validation.Get("nll"))
		}
		checkBytes(t, r)
	}
}

// Merged checkpoints have the adapter merged into the base as it is in memory.
func TestMergedIntoTheStoredBase(t *testing.T) {
	cfg := finetuneConfig(t, storedSection(nn.NF4))
	cfg.LoRA.Merge = true
	r := mustTrain(t, cfg, deps(t, 2))
	if got := evaluateCheckpoint(t, r.Checkpoint, "", cfg); math.Abs(got-r.Validation.Get("nll")) > 1e-5 {
		t.Errorf("the merged model scores %g, the adapted one %g", got, r.Validation.Get("nll"))
	}
}

// Two ranks train on a stored base as one does.
func TestRanksOnAStoredBase(t *testing.T) {
	cfg := finetuneConfig(t, storedSection(nn.NF4Double))
	cfg.Cluster.CheckEvery = 3
	var want []float64
	d := deps(t, 1)
	d.Listener.Step = func(e events.Step) { want = append(want, e.Record.Get("nll")) }
	mustTrain(t, cfg, d)
	cfg.Run.Dir += "-ranks"
	errs, got := trainRanks(t, context.Background(), cfg, 2, nil)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := near(got, want); err != nil {
		t.Error(err)
	}
}
