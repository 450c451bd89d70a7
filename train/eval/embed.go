package eval

import (
	"context"
	"fmt"

	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn/encode"
)

// Embedder makes embeddings of texts. It belongs to one goroutine. Pooling may be changed
// before the first text.
type Embedder struct {
	Pooling encode.Pooling
	encoder Encoder
	marks   tokenizers.Marks
	reader  *encode.Reader
}

// Embedding is that of a text.
type Embedding struct {
	Text      string    `json:"text"`
	Embedding []float32 `json:"embedding"`
}

// NewEmbedder returns the Embedder of an encoder that lies in dir, whose pooling is followed.
func NewEmbedder(e Encoder, dir string) (*Embedder, error) {
	marks, err := tokenizers.MarksOf(e.Tokens, e.Roles, false)
	if err != nil {
		return nil, err
	}
	p, _, err := encode.ReadPooling(dir)
	if err != nil {
		return nil, err
	}
	if p.Tokens == 0 || p.Tokens > e.Model.Context() {
		p.Tokens = e.Model.Context()
	}
	r, err := encode.NewReader(e.Model, e.Store, encode.Config{Rows: e.rows(), Length: p.Tokens, Want: encode.Mean | encode.First, Compute: e.Compute})
	return &Embedder{p, e, marks, r}, err
}

// Tokens is the most tokens of a text, special ones among them.
func (e *Embedder) Tokens() int { return e.Pooling.Tokens }

// Embed calls each with the embedding of every text in their order and returns how many were too
// long and lost their end.
func (e *Embedder) Embed(ctx context.Context, all []string, each func(Embedding) error) (cut int, err error) {
	texts := encode.TextsOf(e.encoder.Tokens, e.marks, e.Pooling.Tokens)
	for len(all) > 0 {
		n := min(len(all), e.encoder.rows())
		rows := make([]encode.Row, n)
		for i, text := range all[:n] {
			var short bool
			if rows[i], short, err = texts.Row(text, nil); err != nil {
				return cut, fmt.Errorf("%q: %w", text, err)
			}
			if short {
				cut++
			}
		}
		if err := ctx.Err(); err != nil {
			return cut, err
		}
		told, err := e.reader.Read(rows)
		if err != nil {
			return cut, err
		}
		for i, t := range told {
			if err := each(Embedding{all[i], e.Pooling.Of(t)}); err != nil {
				return cut, err
			}
		}
		all = all[n:]
	}
	return cut, nil
}
