package data

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// jobBytes is about how much text a worker takes at a time.
const jobBytes = 256 << 10

// keepTokens is the largest buffer of tokens that is kept for other jobs: few documents are so long.
const keepTokens = 2 * jobBytes

// job is a run of documents and, once ready is closed, their tokens.
type job struct {
	documents []Document
	continues bool   // the first goes on with the last of the job before
	before    []byte // of the text of the first document, as far as it is encoded with it
	after     []byte // of the text of the last document, likewise
	bytes     int
	tokens    []int32
	ends      []int // tokens[ends[i-1]:ends[i]] are those of document i, what begins and ends it included
	begins    int   // tokens before the text of the last document
	skip      int   // tokens at the beginning of the first document's text and what is before it that the job before has
	err       error
	ready     chan struct{}
}

// tokenize encodes documents with n goroutines and calls write, on the caller's goroutine, for each job in the order of
// the documents. It returns the first error of documents, encoder, write or ctx, in that order of the text.
func tokenize(ctx context.Context, documents iter.Seq2[Document, error], enc Encoder, n int, write func(*job) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	work := make(chan *job, n)
	ordered := make(chan *job, n)
	buffers := &sync.Pool{New: func() any { return new([]int32) }}
	wg.Go(func() { produce(ctx, documents, work, ordered) })
	for range n {
		wg.Go(func() {
			for j := range work {
				j.encode(enc, *buffers.Get().(*[]int32))
				close(j.ready)
			}
		})
	}
	finish := func(j *job) error {
		if err := write(j); err != nil {
			return err
		}
		if tokens := j.tokens; cap(tokens) <= keepTokens { // without the job, whose text goes
			buffers.Put(&tokens)
		}
		return nil
	}
	var open *job // waits for what goes on with it
	for j := range ordered {
		select {
		case <-j.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if j.err != nil {
			return j.err
		}
		if open != nil {
			if err := open.join(j, enc); err != nil {
				return err
			}
			if err := finish(open); err != nil {
				return err
			}
			open = nil
		}
		if j.open() {
			open = j
		} else if err := finish(j); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// produce groups documents into jobs and sends each to work and to ordered. An error of documents becomes a last job.
func produce(ctx context.Context, documents iter.Seq2[Document, error], work, ordered chan<- *job) {
	defer close(ordered)
	defer close(work)
	send := func(j *job) bool {
		j.ready = make(chan struct{})
		for _, queue := range []chan<- *job{work, ordered} {
			select {
			case queue <- j:
			case <-ctx.Done():
				return false
			}
		}
		return true
	}
	j := &job{}
	var open *job // waits for what goes on with it
	for document, err := range documents {
		if err != nil {
			j.err = err
			break
		}
		j.documents = append(j.documents, document)
		j.bytes += len(document.Text)
		if open != nil {
			open.follow(j)
			if !send(open) {
				return
			}
			open = nil
		}
		if j.bytes < jobBytes && !document.More {
			continue
		}
		if document.More {
			open = j
		} else if !send(j) {
			return
		}
		j = &job{continues: document.More}
	}
	if open != nil && !send(open) {
		return
	}
	send(j)
}

// encode fills tokens, in buffer, and ends.
func (j *job) encode(enc Encoder, buffer []int32) {
	if j.err != nil {
		return
	}
	beginOfText, endOfText := enc.BeginOfText(), enc.EndOfText()
	j.tokens = buffer[:0]
	continues := j.continues
	for i, document := range j.documents {
		begin := len(j.tokens)
		j.begins = 0
		if !continues {
			j.tokens = append(j.tokens, beginOfText...)
			j.begins = len(beginOfText)
		}
		continues = document.More
		j.tokens = enc.AppendEncode(j.tokens, j.context(i))
		if !document.More {
			j.tokens = append(j.tokens, endOfText)
		}
		if j.err = checkTokens(enc, document, j.tokens[begin:]); j.err != nil {
			return
		}
		j.ends = append(j.ends, len(j.tokens))
	}
}

// checkTokens reports a token of a document that the vocabulary does not have.
func checkTokens(enc Encoder, document Document, tokens []int32) error {
	size := enc.VocabSize()
	for _, token := range tokens {
		if token < 0 || int(token) >= size {
			return fmt.Errorf("data: %s: the tokenizer gave token %d, outside its vocabulary of %d (use the tokenizer's own end-of-text and vocabulary)",
				document.place(), token, size)
		}
	}
	return nil
}
