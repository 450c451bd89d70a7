package diffusion

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/recipe"
)

// drawSeed is that of the pictures of evaluations, the same at each.
const drawSeed = 20

// show has evaluations draw prompts, and where pictures are drawn shapes tells how many of them
// show what was asked for.
func (m *model) show(set *picture.Set) {
	state := func(name string) string { return name }
	if averages(m.job.Config) {
		state = func(name string) string {
			if role, _, _ := strings.Cut(name, "."); m.learns(role) {
				return optim.AverageOf(name)
			}
			return name
		}
	}
	d := pipeline.NewDrawer(m.Pipeline, m.config.Shown, m.job.Config.Compute(), state)
	m.job.Tools = append(m.job.Tools, d)
	if m.Control != nil {
		m.showControlled(d, set)
		return
	}
	prompts := m.prompts(set)
	draw := func(ctx context.Context, prompts []string, seed uint64) ([][]byte, error) {
		return d.Draw(ctx, pipeline.Request{Prompts: prompts, Guidance: m.config.Guidance, Method: m.config.Sampler, Steps: m.config.Steps, Seed: seed})
	}
	m.job.Show = func(ctx context.Context) (recipe.Shown, error) {
		drawn, err := draw(ctx, prompts, drawSeed)
		shown := recipe.Shown{Name: "drawn", Text: "pictures of " + strings.Join(prompts, ", ")}
		if err == nil {
			shown.Picture = picture.Grid(drawn, m.Side, m.config.Shown)
		}
		return shown, err
	}
	if m.data.Shapes > 0 && !m.data.Grey {
		m.job.Measure = func(ctx context.Context) (recipe.Measured, error) {
			right, n := 0, 0
			for _, asked := range batches(shapePrompts(), m.config.Shown) {
				drawn, err := draw(ctx, asked, drawSeed+1+uint64(n))
				if err != nil {
					return recipe.Measured{}, err
				}
				for i, pixels := range drawn {
					if n++; shows(m.data, pixels, asked[i]) {
						right++
					}
				}
			}
			return recipe.Measured{Values: []recipe.Measurement{{Name: "shapes_right", Value: float64(right) / float64(n)}},
				Notes: []recipe.Note{{Name: "shapes_right_signature", Text: fmt.Sprintf("%d pictures of all colours and forms, %s of %d steps, guidance %g; colour and form by the rule of picture.Recognise, which fits by %g",
					n, m.config.Sampler, m.config.Steps, m.config.Guidance, picture.Fitting)}}}, nil
		}
	}
}

// learns tells whether the model of a role learns.
func (m *model) learns(role string) bool {
	p := m.job.Phases[0]
	return role == p.Learns || slices.Contains(p.With, role)
}

// shows tells whether a picture shows the shape that a prompt names.
func shows(c picture.Config, pixels []byte, prompt string) bool {
	colour, form, ok := picture.ReadCaption(prompt)
	s, fit := picture.Recognise(c, pixels)
	return ok && s.Colour == colour && s.Form == form && fit >= picture.Fitting
}

// prompts are those of the configuration, else captions of held-out pictures, each once.
func (m *model) prompts(set *picture.Set) []string {
	prompts := m.config.Prompts
	if len(prompts) == 0 {
		seen := map[string]bool{"": true}
		for _, p := range slices.Concat(set.Held, set.Train) {
			if !seen[p.Caption] {
				seen[p.Caption] = true
				prompts = append(prompts, p.Caption)
			}
			if len(prompts) == m.config.Shown {
				break
			}
		}
	}
	return prompts[:min(len(prompts), m.config.Shown)]
}

// shapePrompts are all colours and forms, twice.
func shapePrompts() []string {
	var all []string
	for range 2 {
		for _, colour := range picture.Colours {
			for _, form := range picture.Forms {
				all = append(all, colour+" "+form)
			}
		}
	}
	return all
}

// batches are all prompts, n at a time.
func batches(prompts []string, n int) [][]string {
	var all [][]string
	for len(prompts) > n {
		all = append(all, prompts[:n])
		prompts = prompts[n:]
	}
	return append(all, prompts)
}
