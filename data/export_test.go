package data

import "context"

// EncodePieces encodes a document that comes in pieces.
func EncodePieces(ctx context.Context, enc Encoder, pieces [][]byte) (tokens []int32, err error) {
	documents := func(yield func(Document, error) bool) {
		for i, piece := range pieces {
			if !yield(Document{File: "a", Text: piece, More: i+1 < len(pieces)}, nil) {
				return
			}
		}
	}
	err = tokenize(ctx, documents, enc, 2, func(j *job) error {
		tokens = append(tokens, j.tokens...)
		return nil
	})
	return tokens, err
}
