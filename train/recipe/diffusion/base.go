package diffusion

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// findBase finds what a run may go on from: a checkpoint of this recipe, or a directory of diffusers.
func findBase(path string) (dir string, model nn.Spec, err error) {
	dir, ok := pipeline.Locate(path)
	if !ok {
		return "", model, fmt.Errorf("%w: %s is no checkpoint or run of recipe %s and no directory of diffusers", hub.ErrNoModel, path, Name)
	}
	p, err := pipeline.Describe(dir, func(role string) nn.Tuning { return nn.Tuning{Role: role} })
	if err != nil {
		return dir, model, err
	}
	return dir, nn.SpecOf(p.Denoiser), nil
}

// goOn makes the models of a run with a base, of the checkpoint that it goes on from, else of the
// base: captions are read, and pictures get noise, as they did there.
func (m *model) goOn(env recipe.Env) error {
	c := env.Config
	dir := c.Base
	if env.From != "" {
		dir = env.From
	}
	side, freeze := m.Side, c.Train.Freeze
	p, err := pipeline.Describe(dir, func(role string) nn.Tuning { return nn.Tuning{Role: role, Freeze: freeze} })
	if err != nil {
		return err
	}
	if c.LoRA.Rank > 0 {
		if p, err = adapted(p, dir, c.LoRA); err != nil {
			return err
		}
	}
	m.Pipeline = p
	p.Side = side
	if err := errors.Join(m.agrees(), m.fits()); err != nil {
		return err
	}
	if m.Control != nil && m.config.Control.Kind == "" {
		return config.Faultf("recipe.control.kind is missing: the base has a ControlNet, which goes on learning to heed conditions")
	}
	if m.config.Control.Kind != "" && m.Control == nil {
		control := unet.ControlConfig{Config: *p.Denoiser.Config().(*unet.Config), Condition: m.config.Control.Widths}
		_, _, factor := p.Latents()
		if control.SetCondition(factor); control.Factor() != factor {
			return config.Faultf("recipe.control.widths are %v: a condition has %d times the side of what is denoised, so that one more than %d halvings are needed", control.Condition, factor, len(control.Condition)-1)
		}
		if m.Control, err = unet.NewControl(control, nn.Tuning{Role: pipeline.Control, Freeze: c.Train.Freeze}); err != nil {
			return config.Faultf("%w", err)
		}
	}
	if err := m.averages(c); err != nil {
		return err
	}
	m.design(c)
	return nil
}

// attention are the layers that adapters change unless lora.targets says otherwise, the projections
// of attention in both models, as in diffusers' scripts.
var attention = []string{"to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj"}

// adapted is the pipeline in dir with adapters. Each model gets those targets that it has.
func adapted(p *pipeline.Pipeline, dir string, lora nn.Adapter) (*pipeline.Pipeline, error) {
	if len(lora.Targets) == 0 {
		lora.Targets = attention
	}
	found := map[string]bool{}
	tuned := map[string]nn.Adapter{}
	for _, m := range []nn.Model{p.Denoiser, p.Text} {
		own := lora
		has := func(entry string) bool { // a target, or one with a number
			layer, _, _ := strings.Cut(entry, "=")
			there := len(nn.Adapter{Rank: 1, Targets: []string{layer}}.Adapted(m.Params())) > 0
			found[entry] = found[entry] || there
			return there
		}
		kept := func(list []string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(entry string) bool { return !has(entry) })
		}
		own.Targets, own.Ranks, own.Alphas = kept(lora.Targets), kept(lora.Ranks), kept(lora.Alphas)
		if len(own.Targets) > 0 {
			tuned[m.Tuning().Role] = own
		}
	}
	for _, entry := range slices.Concat(lora.Targets, lora.Ranks, lora.Alphas) {
		if !found[entry] {
			return nil, config.Faultf("lora: neither the denoiser nor the text encoder has a linear layer as %q; attention's are %v", entry, attention)
		}
	}
	return pipeline.Describe(dir, func(role string) nn.Tuning { return nn.Tuning{Role: role, Adapter: tuned[role]} })
}

// agrees wants what the configuration says of the base to be so, or to be left out.
func (m *model) agrees() error {
	var errs []error
	fault := func(ok bool, key string, is, was any) {
		if !ok {
			errs = append(errs, config.Faultf("recipe.%s is %v, but the base has %v: leave it out", key, is, was))
		}
	}
	usual, said, p := defaults(), &m.config, m.Process
	fault(said.Schedule == usual.Schedule || said.Schedule == p.Schedule, "schedule", said.Schedule, p.Schedule)
	fault(said.Prediction == usual.Prediction || said.Prediction == string(p.Prediction), "prediction", said.Prediction, p.Prediction)
	said.Schedule, said.Prediction = p.Schedule, string(p.Prediction)
	channels := m.data.Channels()
	fault(m.Channels() == channels, "base of pictures", fmt.Sprintf("%d channels", channels), fmt.Sprintf("%d channels", m.Channels()))
	if said.MinSNR > 0 && p.Prediction == diffusion.Velocity {
		said.MinSNR = 0
	}
	return errors.Join(errs...)
}
