package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"gotrain/autograd/exec"
	"gotrain/data"
	"gotrain/data/tokenizers"
	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/generate"
	"gotrain/nn/hub"
	"gotrain/train/checkpoint"
	"gotrain/train/config"
	"gotrain/train/metrics"
	"gotrain/train/ranks"
)

// Deps are what a run needs from its surroundings.
type Deps struct {
	Backend  exec.Backend
	Families nn.Families
	FS       vfs.FS
	Now      func() time.Time
	Listener Listener
	// Group is the ranks that train together, nil for a process that is alone. The
	// Backend's collectives have to be of the same ranks; with a Group of Paced,
	// ranks that are slower than the others are found.
	// Each has a Backend of its own and the same configuration.
	Group ranks.Group
	// LocalRank counts the ranks of a node, so that one of them prepares what all
	// of them read.
	LocalRank int
	// Version is that of the program, which has to be the same on all ranks.
	Version string
	// Machine is what was measured of the hardware of a rank, for the forecast and the
	// MFU; zero leaves both out.
	Machine Machine
	// Resume is "auto" (go on from the newest good checkpoint, if there is
	// one), "none" (set an earlier run aside and begin anew) or the directory
	// of a checkpoint to begin from.
	Resume string
}

// Result is how a run ended.
type Result struct {
	State      State
	Validation *metrics.Record // the last one, nil without held-out text
	Checkpoint string          // the newest
	Elapsed    time.Duration   // of the steps made now
	Steps      int             // made now
	Early      bool            // ended by train.patience
	Best       string          // link to the best checkpoint, "" without train.patience
	Forecast   Forecast
}

// run is a training run in progress.
type run struct {
	cfg       Config
	deps      Deps
	tokenizer data.Tokenizer
	identity  hub.Identity
	corpus    corpus
	model     nn.LanguageModel
	engine    *Engine
	ranks     *coordinator
	pace      pace
	recorder  *recorder
	generator *generate.Generator
	snapshot  *exec.Snapshot // nil when steps wait for saves
	saving    *saving        // in flight, or nil
	state     State
	savedStep int // step of the newest checkpoint, -1 for none
	lastEval  *metrics.Record
	result    Result
}

// Train runs cfg to its last step, or until ctx ends: then the state is saved
// and the error is ErrStopped.
func Train(ctx context.Context, cfg Config, deps Deps) (Result, error) {
	r := &run{cfg: cfg, deps: deps, savedStep: -1, ranks: newCoordinator(deps.Group)}
	r.cfg.Rank = r.ranks.rank()
	if !r.cfg.Rank.First() {
		r.deps.Listener = Listener{}
	}
	err := r.train(ctx)
	if err != nil && !errors.Is(err, ErrStopped) && !r.cfg.Rank.Alone() {
		deps.Group.Abort()
		err = fmt.Errorf("rank %d: %w", r.cfg.Rank.Index(), err)
	}
	return r.result, err
}

func (r *run) train(ctx context.Context) error {
	if err := r.compareConfigs(); err != nil {
		return err
	}
	var lock io.Closer
	defer func() {
		if lock != nil {
			lock.Close()
		}
	}()
	if _, err := r.ranks.byFirst(func() (_ string, err error) {
		lock, err = r.claim()
		return "", err
	}); err != nil {
		return err
	}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return Stopped(ctx, err)
	}
	began, first := r.deps.Now(), r.state.Step
	err := r.dropSave(r.loop(ctx))
	r.result.State, r.result.Validation = r.state, r.lastEval
	r.result.Early, r.result.Best = r.exhausted(), r.bestLink()
	r.result.Elapsed, r.result.Steps = r.deps.Now().Sub(began), r.state.Step-first
	return err
}

// claim makes the run's directory and locks it.
func (r *run) claim() (io.Closer, error) {
	dir := r.cfg.Run.Dir
	if r.deps.Resume == "none" {
		if err := setAside(r.deps.FS, dir); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	return checkpoint.LockRun(r.deps.FS, dir)
}

// setAside renames an earlier run, so that nothing of it is lost. It fails while
// another process trains into it.
func setAside(fsys vfs.FS, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := checkpoint.LockRun(fsys, dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	for i := 1; ; i++ {
		to := fmt.Sprintf("%s.%d", filepath.Clean(dir), i)
		if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
			return os.Rename(dir, to)
		}
	}
}

// open prepares everything up to the first step.
func (r *run) open(ctx context.Context) error {
	from, err := r.ranks.byFirst(func() (string, error) {
		from, err := r.findCheckpoint()
		if err != nil {
			return "", err
		}
		return from, r.checkSame()
	})
	if err != nil {
		return err
	}
	if err := r.ranks.inTurn(r.deps.LocalRank, func() error { return r.openData(ctx, from) }); err != nil {
		return err
	}
	if err := r.ranks.together(r.build(from)); err != nil {
		return err
	}
	if err := r.compareStart(); err != nil {
		return err
	}
	r.result.Forecast = Predict(r.cfg, r.model, r.engine.Programs(), r.deps.Machine)
	notify(r.deps.Listener.Started, Started{
		Step: r.state.Step, Steps: r.cfg.Train.Steps, Config: r.cfg, Forecast: r.result.Forecast, Programs: r.engine.Programs(),
		TrainTokens: r.corpus.trainTokens, EvalTokens: r.corpus.evalTokens,
	})
	return nil
}

// build makes the model and the engine, in the state that the checkpoint from
// has, or in the first one, and opens the files of the run.
func (r *run) build(from string) error {
	var err error
	if r.model, err = r.cfg.NewModel(r.deps.Families); err != nil {
		return err
	}
	if r.engine, err = NewEngine(r.cfg, r.model, r.deps.Backend); err != nil {
		return err
	}
	r.engine.ranks = r.ranks
	if r.snapshot, err = newSnapshot(r.cfg, r.engine); err != nil {
		return err
	}
	if from != "" {
		err = r.restore(from)
	} else {
		err = r.begin()
	}
	if err != nil {
		return err
	}
	if from != "" && from != r.deps.Resume {
		r.savedStep, r.result.Checkpoint = r.state.Step, from // one of this run
	}
	if !r.cfg.Rank.First() {
		return nil
	}
	if err := r.writeConfig(); err != nil {
		return err
	}
	r.recorder, err = openRecorder(r.deps.FS, r.cfg.Run.Dir, r.state.Step, r.deps.Now())
	return err
}

// begin gives the parameters their first values.
func (r *run) begin() error {
	if r.cfg.Base == "" {
		return r.engine.Initialize()
	}
	if r.cfg.LoRA.Rank > 0 {
		sum, err := hub.Fingerprint(r.cfg.Base)
		if err != nil {
			return err
		}
		r.state.Base = &BaseState{Dir: r.cfg.Base, Fingerprint: sum}
	}
	return r.engine.InitializeFrom(r.deps.FS)
}

// findCheckpoint returns the directory to resume from, or "".
func (r *run) findCheckpoint() (string, error) {
	switch r.deps.Resume {
	case "auto", "none", "":
		found, events, err := checkpoint.Latest(r.deps.FS, r.cfg.Run.Dir)
		for _, e := range events {
			notify(r.deps.Listener.Checkpoint, e)
		}
		if errors.Is(err, checkpoint.ErrNone) {
			return "", nil
		}
		if errors.Is(err, checkpoint.ErrNoneGood) {
			return "", fmt.Errorf("%s: %w; the damaged ones were set aside: run again to begin from step 0", r.cfg.Run.Dir, err)
		}
		if err != nil {
			return "", err
		}
		return found.Path, nil
	}
	if _, err := checkpoint.Verify(r.deps.FS, r.deps.Resume); err != nil {
		return "", fmt.Errorf("--resume %s: %w", r.deps.Resume, err)
	}
	return r.deps.Resume, nil
}

// checkSame refuses to go on with a run under a configuration whose model or
// tokenizer is another one: the weights and the frozen tokenizer would win
// silently, or not fit.
func (r *run) checkSame() error {
	was, err := LoadConfig(ConfigPath(r.cfg.Run.Dir), nil, r.deps.Families)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a run that never came to its first step
	}
	if err != nil {
		return err
	}
	now := r.cfg
	if now.Text().Vocab == 0 && was.Text().Vocab > 0 {
		if err := now.SetVocab(was.Text().Vocab); err != nil {
			return err
		}
	}
	var differs []string
	if !was.Model.Equal(now.Model) {
		differs = append(differs, "model")
	}
	if was.Tokenizer != r.cfg.Tokenizer {
		differs = append(differs, "tokenizer")
	}
	if was.Base != r.cfg.Base {
		differs = append(differs, "base")
	}
	if was.Adapter != r.cfg.Adapter {
		differs = append(differs, "adapter")
	}
	if !reflect.DeepEqual(was.LoRA.WithDefaults(), r.cfg.LoRA.WithDefaults()) {
		differs = append(differs, "lora")
	}
	if len(differs) > 0 {
		return fmt.Errorf("%s holds a run with another %s section (see its config.yaml): name another directory with --run, or set the run aside with --resume none",
			r.cfg.Run.Dir, strings.Join(differs, " and "))
	}
	return nil
}

// openData opens the tokenizer, frozen in the run or in the checkpoint if it is
// there, and the shards.
func (r *run) openData(ctx context.Context, from string) error {
	var err error
	if r.tokenizer, err = r.openTokenizer(ctx, from); err != nil {
		return err
	}
	enc, err := tokenizers.NewEncoder(r.tokenizer)
	if err != nil {
		return err
	}
	if r.cfg.Text().Vocab == 0 {
		if err := r.cfg.SetVocab(enc.VocabSize()); err != nil {
			return err
		}
	}
	if v := r.cfg.Text().Vocab; v < enc.VocabSize() {
		return fmt.Errorf("model.vocab is %d but the tokenizer has %d tokens; leave model.vocab out to take the tokenizer's", v, enc.VocabSize())
	}
	if r.identity, err = r.findIdentity(from); err != nil {
		return err
	}
	if r.cfg.Data.Format == FormatInstruct {
		r.corpus, err = r.openConversations(ctx)
	} else {
		r.corpus, err = openText(ctx, r.cfg, enc, r.deps.Listener)
	}
	if err != nil {
		return err
	}
	if r.cfg.Train.Patience > 0 && r.corpus.eval == nil {
		return errors.New("train.patience needs held-out text to judge by: set data.validation or data.validation_paths")
	}
	return nil
}

// writeConfig writes the resolved configuration, every default spelled out.
func (r *run) writeConfig() error {
	resolved, err := config.Encode(r.cfg)
	if err != nil {
		return err
	}
	return vfs.WriteFile(r.deps.FS, ConfigPath(r.cfg.Run.Dir), func(w io.Writer) error {
		_, err := w.Write(resolved)
		return err
	})
}

func (r *run) close() {
	if r.snapshot != nil {
		r.snapshot.Close()
	}
	if r.recorder != nil {
		r.recorder.close()
	}
	if r.corpus.close != nil {
		r.corpus.close()
	}
}
