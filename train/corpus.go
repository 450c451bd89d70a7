package train

import (
	"context"
	"fmt"
	"path/filepath"

	"gotrain/data"
	"gotrain/data/tokenizers"
)

// corpus is what a run trains on and is scored by. The loop knows nothing else
// of the data.
type corpus struct {
	train, eval             data.Source // eval is nil without held-out data, and ends with io.EOF
	trainTokens, evalTokens int64
	fingerprint             string // alike on ranks that have the same data
	close                   func() error
}

// openText packs text into shards and cuts them into batches.
func openText(ctx context.Context, cfg Config, enc tokenizers.Encoder, listen Listener) (corpus, error) {
	prepared, err := data.Prepare(ctx, cfg.Data.Config, enc, listen.Preparing)
	if err != nil {
		return corpus{}, err
	}
	c := corpus{trainTokens: prepared.Train.Tokens(), close: prepared.Close}
	// The directory's name is a hash of the text and of how it was tokenized.
	c.fingerprint = fmt.Sprintf("%s: %d tokens", filepath.Base(prepared.Dir), c.trainTokens)
	detail := fmt.Sprintf("%d training tokens in %s", c.trainTokens, prepared.Dir)
	if prepared.Reused {
		detail += " (reused)"
	}
	notify(listen.Phase, Phase{"shards", detail})
	if c.train, err = data.NewLoader(prepared.Train, data.LoaderConfig{Sequences: cfg.sequences(cfg.trainRows()), Seed: cfg.Run.Seed}); err != nil {
		return c, err
	}
	if prepared.Validation == nil {
		return c, nil
	}
	c.evalTokens = prepared.Validation.Tokens()
	c.fingerprint += fmt.Sprintf(", %d held out", c.evalTokens)
	c.eval, err = data.NewEval(prepared.Validation, cfg.sequences(cfg.evalRows()), enc)
	return c, err
}
