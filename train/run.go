package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/ways"
)

// Config is a whole configuration file.
type Config = config.Config

// Deps are what a run needs from its surroundings.
type Deps struct {
	Backend  exec.Backend
	Table    recipe.Table
	FS       vfs.FS
	Now      func() time.Time
	Listener events.Listener
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
	Machine engine.Machine
	// Save asks for a checkpoint after the step that is being made, with each value that
	// it gives; nil never does.
	Save <-chan struct{}
	// Ways keeps from run to run what the back end chooses by timing; without a path
	// nothing is timed, and only what a checkpoint has is chosen.
	Ways ways.File
	// Resume is "auto" (go on from the newest good checkpoint, if there is
	// one), "none" (set an earlier run aside and begin anew) or the directory
	// of a checkpoint to begin from.
	Resume string
}

// run is a training run in progress.
type run struct {
	cfg       Config
	deps      Deps
	job       *recipe.Job
	engine    *engine.Engine
	ranks     *ranks.Coordinator
	pace      ranks.Pace
	recorder  *recorder
	saver     *save.Saver
	state     save.State
	was       *Config        // that the run goes on from, on rank 0; nil for a new one
	chosen    *events.Chosen // how the back end computes; nil where nothing was timed
	savedStep int            // step of the newest checkpoint, -1 for none
	weight    [1]float64
	bounds    []float64 // by phase
	sums      []float64 // exchanged after a step
	lastEval  *metrics.Record
	alarm     string      // what the newest evaluation told of a run that goes wrong
	returns   map[int]int // how often the run went back to a step
	result    events.Result
}

// Train runs cfg to its last step, or until ctx ends: then the state is saved
// and the error is ErrStopped.
func Train(ctx context.Context, cfg Config, deps Deps) (events.Result, error) {
	if err := cfg.Validate(deps.Table.Config()); err != nil {
		return events.Result{}, err
	}
	r := &run{cfg: cfg, deps: deps, savedStep: -1, ranks: ranks.Coordinate(deps.Group), returns: map[int]int{}}
	r.cfg.Rank = r.ranks.Rank()
	if !r.cfg.Rank.First() {
		r.deps.Listener = events.Listener{}
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
	_, err := os.Stat(r.cfg.Run.Dir)
	fresh := errors.Is(err, os.ErrNotExist)
	if _, err := r.ranks.ByFirst(func() (_ string, err error) {
		lock, err = r.claim()
		return "", err
	}); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		r.close()
		if fresh && r.cfg.Rank.First() && Misconfigured(err) {
			err = errors.Join(err, vfs.RemoveAll(r.deps.FS, r.cfg.Run.Dir))
		}
		return Stopped(ctx, err)
	}
	defer r.close()
	began, first := r.deps.Now(), r.state.Step
	err = r.dropSave(r.loop(ctx))
	r.result.State, r.result.Validation = r.state, r.lastEval
	r.result.Early, r.result.Best = r.exhausted(), r.bestLink()
	r.result.Elapsed, r.result.Steps = r.deps.Now().Sub(began), r.state.Step-first
	return err
}

// Misconfigured tells whether an error is a fault of the configuration, which no other
// try cures.
func Misconfigured(err error) bool {
	var fault *config.Fault
	var setting *data.SettingError
	return errors.As(err, &fault) || errors.As(err, &setting)
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
	from, err := r.ranks.ByFirst(func() (string, error) {
		from, err := r.findCheckpoint()
		if err == nil {
			r.was, err = earlier(r.cfg, from, r.deps.Table.Config())
		}
		return from, err
	})
	if err != nil {
		return err
	}
	if err := r.ranks.InTurn(r.deps.LocalRank, func() error { return r.openJob(ctx, from) }); err != nil {
		return err
	}
	if err := r.ranks.Together(r.build(from)); err != nil {
		return err
	}
	if err := r.compareStart(); err != nil {
		return err
	}
	if err := r.beginData(ctx); err != nil {
		return err
	}
	changes, err := r.changes()
	if err != nil {
		return err
	}
	r.result.Forecast = engine.Predict(r.cfg, r.job, r.engine.Programs(), r.deps.Machine)
	events.Notify(r.deps.Listener.Started, events.Started{
		Step: r.state.Step, Steps: r.cfg.Train.Steps, Config: r.cfg, Forecast: r.result.Forecast, Programs: r.engine.Programs(),
		Job: r.job, Changes: changes, Chosen: r.chosen,
	})
	return nil
}

// openJob has the recipe open its models and data.
func (r *run) openJob(ctx context.Context, from string) error {
	job, err := r.deps.Table.Open(ctx, recipe.Env{
		Config: r.cfg, FS: r.deps.FS, From: from, Now: r.deps.Now, Tell: r.deps.Listener.Phase, Progress: r.deps.Listener.Preparing, Sum: r.sum,
	})
	if err != nil {
		return err
	}
	r.job, r.cfg, r.result.Config, r.result.Next = job, job.Config, job.Config, job.Next
	return nil
}

// sum adds numbers up over the ranks.
func (r *run) sum(mine []float64) ([]float64, error) {
	all, err := r.ranks.Agree(ranks.Notice{Sums: mine})
	return slices.Clone(all.Sums), err
}

// build makes the engine, in the state that the checkpoint from has, or in the first
// one, and opens the files of the run.
func (r *run) build(from string) error {
	var err error
	choose := func(plans []*plan.Plan) error { return r.choose(from, plans) }
	if r.engine, err = engine.NewChoosing(r.cfg, r.job, r.deps.Backend, r.ranks, choose); err != nil {
		return err
	}
	r.bounds = make([]float64, len(r.job.Phases))
	r.saver, err = save.New(save.Config{
		FS: r.deps.FS, RunDir: r.cfg.Run.Dir, Keep: r.cfg.Train.Keep, Share: r.engine.Programs().Share(r.job), Ranks: r.ranks,
		Store: r.engine.Store(), Async: r.engine.Programs().AsyncSaves,
	})
	if err != nil {
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
	r.state.Ways = r.ways()
	if from != "" && from != r.deps.Resume {
		r.savedStep, r.result.Checkpoint = r.state.Step, from // one of this run
	}
	if !r.cfg.Rank.First() {
		return nil
	}
	if err := r.writeConfig(); err != nil {
		return err
	}
	for _, e := range save.KeepBases(r.deps.FS, r.cfg.Run.Dir, engine.Models(r.job)) {
		events.Notify(r.deps.Listener.Checkpoint, e)
	}
	if r.recorder, err = openRecorder(r.deps.FS, r.cfg, r.state.Step, r.deps.Now()); err != nil {
		return err
	}
	r.saver.SetLog(r.recorder.log)
	return nil
}

// beginData completes the data of the job, on rank 0 and then on the others.
func (r *run) beginData(ctx context.Context) error {
	if r.job.Begin == nil {
		return nil
	}
	if _, err := r.ranks.ByFirst(func() (string, error) { return "", r.job.Begin(ctx, r.state.Step) }); err != nil {
		return err
	}
	var err error
	if !r.cfg.Rank.First() {
		err = r.job.Begin(ctx, r.state.Step)
	}
	return r.ranks.Together(err)
}

// begin gives the parameters their first values.
func (r *run) begin() error {
	models := engine.Models(r.job)
	bases, err := save.BasesOf(models)
	if err != nil {
		return err
	}
	r.state = save.State{Phases: make([]save.PhaseState, len(r.job.Phases)), Bases: bases}
	return r.engine.Initialize(r.deps.FS)
}

// restore loads the checkpoint in dir into the engine.
func (r *run) restore(dir string) error {
	state, err := save.Restore(r.engine.Store(), r.deps.FS, dir, engine.Models(r.job), engine.RowsOf(r.cfg))
	if err != nil {
		return err
	}
	if was, now := len(state.Phases), len(r.job.Phases); was != now {
		return fmt.Errorf("%s was written by a recipe of %d phases, this one has %d; keep the recipe as it was", dir, was, now)
	}
	r.state = *state
	return nil
}

// findCheckpoint returns the directory to resume from, or "".
func (r *run) findCheckpoint() (string, error) {
	switch r.deps.Resume {
	case "auto", "none", "":
		found, told, err := checkpoint.Latest(r.deps.FS, r.cfg.Run.Dir)
		for _, e := range told {
			events.Notify(r.deps.Listener.Checkpoint, e)
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

// writeConfig writes the resolved configuration, every default spelled out.
func (r *run) writeConfig() error {
	resolved, err := config.Encode(r.cfg)
	if err != nil {
		return err
	}
	return vfs.WriteFile(r.deps.FS, config.Path(r.cfg.Run.Dir), func(w io.Writer) error {
		_, err := w.Write(resolved)
		return err
	})
}

func (r *run) close() {
	if r.saver != nil {
		r.saver.Close()
	}
	if r.recorder != nil {
		r.recorder.close()
	}
	if r.job != nil && r.job.Close != nil {
		r.job.Close()
	}
}
