package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/similar"
	"example.com/gotrain/data/vfs"
)

// Config says what is made.
type Config struct {
	Dir    string // of RecordsFile and the others
	Method Method
	Count  int // records
	Seed   uint64
	// Round is the number of first prompts that are made of the same records: those before the
	// round. Of self-instruct each asks for eight tasks.
	Round int
	// Patience is how many rounds in a row may give no record.
	Patience int
	Filter   Filter
	// Reward gives each record a number, where it is not nil.
	Reward func(ctx context.Context, r *Record) (float64, error)
}

// Validate says what is wrong.
func (c *Config) Validate(seeds []Task) error {
	switch {
	case c.Count < 1, c.Round < 1, c.Patience < 1:
		return fmt.Errorf("%d records, %d prompts in a round and %d rounds without a record: use 1 or more of each", c.Count, c.Round, c.Patience)
	case c.Method.NeedsSeeds() && len(seeds) == 0:
		return fmt.Errorf("method %s begins with seeds, and there is none", c.Method.Name())
	case c.Filter.MinReward != nil && c.Reward == nil:
		return errors.New("a least reward needs a reward model")
	}
	return c.Filter.Validate()
}

// Progress tells how far a run is.
type Progress struct {
	Kept, Count     int
	Round           int
	Stage           string // that is asked
	Answered, Asked int    // prompts of the stage
	Rejected        map[Reason]int
}

// Candidates are those that were judged.
func (p *Progress) Candidates() int {
	n := p.Kept
	for _, k := range p.Rejected {
		n += k
	}
	return n
}

// ErrStuck says that all is rejected.
var ErrStuck = errors.New("no record is kept any more")

// Run makes records until there are Count of them in the directory, and goes on where an earlier
// one ended. tell hears of every answer.
func Run(ctx context.Context, fsys vfs.FS, cfg Config, seeds []Task, author Author, tell func(Progress)) (Progress, error) {
	if err := cfg.Validate(seeds); err != nil {
		return Progress{}, err
	}
	j, err := newJudge(cfg.Filter, seeds)
	if err != nil {
		return Progress{}, err
	}
	store, err := open(fsys, cfg, seeds, author.About())
	if err != nil {
		return Progress{}, err
	}
	defer store.Close()
	r := &run{Config: cfg, author: author, judge: j, store: store, pool: Pool{Seeds: seeds}, tell: tell}
	for i := range store.records {
		j.keep(&store.records[i])
		r.pool.Made = append(r.pool.Made, taskOf(&store.records[i]))
	}
	store.records = nil
	for len(r.pool.Made) < cfg.Count {
		if err := r.round(ctx); err != nil {
			return r.progress("", 0, 0), err
		}
	}
	return r.progress("", 0, 0), nil
}

type run struct {
	Config
	author Author
	judge  *judge
	store  *store
	pool   Pool
	tell   func(Progress)
}

func (r *run) progress(stage string, answered, asked int) Progress {
	return Progress{Kept: len(r.pool.Made), Count: r.Count, Round: r.store.state.Rounds, Stage: stage, Answered: answered, Asked: asked, Rejected: maps.Clone(r.store.state.Rejected)}
}

// round makes one round of drafts and stores what becomes of them.
func (r *run) round(ctx context.Context) error {
	number := r.store.state.Rounds
	var fresh similar.Pool
	live := make([]Draft, r.Round)
	for k := range live {
		live[k] = r.Method.Begin(rand.New(rand.NewPCG(r.Seed, uint64(number)<<32|uint64(k))), &r.pool)
	}
	var done []Draft
	for at, stage := range r.Method.Stages() {
		next, err := r.stage(ctx, number, at, stage, live)
		if err != nil {
			return err
		}
		live = live[:0]
		for _, d := range next {
			if d.Reason == "" && !d.tested && d.Instruction+d.Text != "" {
				d.tested = true
				r.judge.instruction(&d, &fresh)
			}
			if d.Reason == "" {
				live = append(live, d)
			} else {
				done = append(done, d)
			}
		}
	}
	kept, err := r.choose(ctx, number, live)
	if err != nil {
		return err
	}
	for i := range kept {
		r.pool.Made = append(r.pool.Made, taskOf(&kept[i]))
	}
	if err := r.store.finish(kept, slices.Concat(done, live)); err != nil {
		return err
	}
	if r.tell != nil {
		r.tell(r.progress("", 0, 0))
	}
	if r.store.state.Barren >= r.Patience {
		return r.stuck()
	}
	return nil
}

// stuck tells what most drafts were rejected for.
func (r *run) stuck() error {
	rejected := r.store.state.Rejected
	most := slices.SortedFunc(maps.Keys(rejected), func(a, b Reason) int { return rejected[b] - rejected[a] })
	var why []string
	for _, reason := range most[:min(3, len(most))] {
		why = append(why, fmt.Sprintf("%s %d", reason, rejected[reason]))
	}
	return fmt.Errorf("%w: %d rounds gave none, of all drafts were rejected: %s (see %s; loosen a filter, give more seeds, or another model)",
		ErrStuck, r.store.state.Barren, strings.Join(why, ", "), filepath.Join(r.Dir, RejectedFile))
}

// stage asks the author for all live drafts what a stage asks, and returns what becomes of them, in their order.
func (r *run) stage(ctx context.Context, number, at int, stage Stage, live []Draft) ([]Draft, error) {
	answers := make([]Answer, len(live))
	var open []Prompt
	var of []int // the draft of an open prompt
	asked, answered := 0, 0
	for i := range live {
		p := stage.Ask(&live[i])
		if p.Text == "" {
			continue
		}
		asked++
		p.Seed = seedOf(r.Seed, number, at, i)
		d := &live[i]
		d.Metadata.Calls = append(slices.Clip(d.Metadata.Calls), Call{stage.Name, p.Seed, p.Whole()})
		if known, ok := r.store.answer(at, i, p); ok {
			answers[i] = known
			answered++
			continue
		}
		open, of = append(open, p), append(of, i)
	}
	if len(open) > 0 {
		err := r.author.Answer(ctx, open, func(k int, a Answer) error {
			answers[of[k]] = a
			answered++
			if r.tell != nil {
				r.tell(r.progress(stage.Name, answered, asked))
			}
			return r.store.remember(at, of[k], open[k], a)
		})
		if err != nil {
			return nil, err
		}
	}
	var next []Draft
	for i, d := range live {
		if answers[i].Fault != "" {
			d.reject(Malformed, "%s", answers[i].Fault)
			next = append(next, d)
			continue
		}
		next = append(next, stage.Read(d, answers[i])...)
	}
	return next, nil
}

// choose judges finished drafts and returns those that are kept; the others have their reason.
func (r *run) choose(ctx context.Context, number int, live []Draft) ([]Record, error) {
	about := r.author.About()
	var kept []Record
	for i := range live {
		d := &live[i]
		d.Metadata.Method, d.Metadata.Model, d.Metadata.Hash, d.Metadata.Round = r.Method.Name(), about.Model, about.Hash, number
		d.name()
		if r.judge.whole(d); d.Reason == "" && r.Reward != nil {
			reward, err := r.Reward(ctx, &d.Record)
			if err != nil {
				return nil, err
			}
			r.judge.rewarded(d, reward)
		}
		if d.Reason == "" && len(r.pool.Made)+len(kept) == r.Count {
			d.reject(Beyond, "")
		}
		if d.Reason == "" {
			r.judge.keep(&d.Record)
			kept = append(kept, d.Record)
		}
	}
	return kept, nil
}

// seedOf numbers the random choices of an answer.
func seedOf(seed uint64, round, stage, call int) uint64 {
	return xxh3.HashString(fmt.Sprintf("%d/%d/%d/%d", seed, round, stage, call)) >> 11 // servers take numbers of JSON
}
