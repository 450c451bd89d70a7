package generate

import (
	"context"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
)

// ByPosition returns what context is worth to a model: for each position of its context the
// mean NLL in nats of the token behind it, over windows of a text that begin every stride
// tokens, batch of them at once. With a stride far below the context the tokens that are
// predicted are nearly the same at each position.
func ByPosition(ctx context.Context, m nn.LanguageModel, store *exec.Store, cfg Config, tokens []int32, stride, batch int) ([]float64, error) {
	length, err := contextOf(m, cfg)
	if err != nil {
		return nil, err
	}
	if stride < 1 || batch < 1 {
		return nil, fmt.Errorf("generate: a stride of %d and %d windows at once; use 1 or more", stride, batch)
	}
	windows := (len(tokens)-1-length)/stride + 1
	if len(tokens) < length+1 {
		return nil, fmt.Errorf("generate: a text of %d tokens has no window of %d", len(tokens), length)
	}
	if err := checkTokens(tokens, m.Vocab()); err != nil {
		return nil, err
	}
	if err := checkParams(m, store); err != nil {
		return nil, err
	}
	batch = min(batch, windows)
	p, err := positionProgram(m, store, cfg, batch, length)
	if err != nil {
		return nil, err
	}
	sums := make([]float64, length)
	for first := 0; first < windows; first += batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for b := range batch {
			at := (first + b) * stride
			for t := range length {
				i := b*length + t
				p.ids[i], p.targets[i] = 0, -1
				if first+b < windows {
					p.ids[i], p.targets[i] = tokens[at+t], tokens[at+t+1]
				}
			}
		}
		if err := p.run(); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		for i, nll := range p.nll { // 0 where there is no target
			sums[i%length] += float64(nll)
		}
	}
	for t := range sums {
		sums[t] /= float64(windows)
	}
	return sums, nil
}

func positionProgram(m nn.LanguageModel, store *exec.Store, cfg Config, batch, length int) (*program, error) {
	graph, n := autograd.NewGraph(), batch*length
	_, nll := nn.Evaluation(graph, m, nn.Rows{Batch: batch, Length: length})
	built, err := lower(graph, "positions", store.Backend().Target(), cfg, nll)
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(store.Backend(), built.Arena)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	p := &program{ids: make([]int32, n), positions: make([]int32, n), targets: make([]int32, n), nll: make([]float32, n)}
	for i := range p.positions {
		p.positions[i] = int32(i % length)
	}
	if p.session, err = exec.NewSession(built, store, arena); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if p.inputs, err = feed(p.session, map[string][]int32{"ids": p.ids, "positions": p.positions, "targets": p.targets}); err != nil {
		return nil, err
	}
	return p, p.session.SetFloats("loss_weight", []float32{1})
}
