package train

import (
	"encoding/json"
	"errors"
	"os"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/save"
)

// choose settles how the back end computes what it has several ways for. Those of the
// checkpoint that the run goes on from come first, so that it goes on to the same bits;
// then those of earlier runs on such a card, then the fastest. All ranks take rank 0's.
func (r *run) choose(from string, plans []*plan.Plan) error {
	chooser, ok := r.deps.Backend.(exec.Chooser)
	if !ok {
		return nil
	}
	if !r.cfg.CUDA.Timing {
		_, err := chooser.Choose(plans, nil, false)
		return err
	}
	text, err := r.ranks.ByFirst(func() (string, error) {
		c, err := r.chooseHere(from, chooser, plans)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(c)
		return string(text), err
	})
	if err != nil {
		return err
	}
	r.chosen = &events.Chosen{}
	if err := json.Unmarshal([]byte(text), r.chosen); err != nil || r.cfg.Rank.First() {
		return err
	}
	_, err = chooser.Choose(plans, r.chosen.Ways, false)
	return err
}

// chooseHere is choose on rank 0.
func (r *run) chooseHere(from string, chooser exec.Chooser, plans []*plan.Plan) (*events.Chosen, error) {
	c := &events.Chosen{Where: chooser.Where()}
	known, keeping := r.deps.Ways.Of(c.Where)
	if from != "" {
		state, err := save.ReadState(from)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		switch {
		case err != nil || state.Ways == nil:
		case state.Ways.Where == c.Where:
			known = joined(state.Ways.Ways, known)
		default:
			c.Was = state.Ways.Where
		}
	}
	began := r.deps.Now()
	chosen, err := chooser.Choose(plans, known, r.deps.Ways.Path != "")
	if err != nil {
		return nil, err
	}
	c.Ways, c.Timed, c.Seconds = chosen.Ways, len(chosen.Timed), r.deps.Now().Sub(began).Seconds()
	if keeping == nil {
		keeping = r.deps.Ways.Add(c.Where, chosen.Ways)
	}
	if keeping != nil {
		c.NotKept = keeping.Error()
	}
	return c, nil
}

// joined are the ways of both, of what is in both the first's.
func joined(first, second exec.Ways) exec.Ways {
	all := exec.Ways{}
	for _, ways := range []exec.Ways{second, first} {
		for id, w := range ways {
			all[id] = w
		}
	}
	return all
}

// ways are those that a checkpoint keeps; nil where nothing was chosen.
func (r *run) ways() *save.Ways {
	if r.chosen == nil || len(r.chosen.Ways) == 0 {
		return nil
	}
	return &save.Ways{Where: r.chosen.Where, Ways: r.chosen.Ways}
}
