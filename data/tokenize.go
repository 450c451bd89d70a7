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
	continues bool // the first goes on with the last of the job before
	bytes     int
	tokens    []int32
	ends      []int // tokens[ends[i-1]:ends[i]] are those of document i, what begins and ends it included
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
	for j := range ordered {
		select {
		case <-j.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if j.err != nil {
			return j.err
		}
		if err := write(j); err != nil {
			return err
		}
		if tokens := j.tokens; cap(tokens) <= keepTokens { // without the job, whose text goes
			buffers.Put(&tokens)
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
	for document, err := range documents {
		if err != nil {
			j.err = err
			break
		}
		j.documents = append(j.documents, document)
		j.bytes += len(document.Text)
		if j.bytes >= jobBytes {
			if !send(j) {
				return
			}
			j = &job{continues: document.More}
		}
	}
	send(j)
}

// encode fills tokens, in buffer, and ends.
func (j *job) encode(enc Encoder, buffer []int32) {
	if j.err != nil {
		return
	}
	vocabSize, beginOfText, endOfText := enc.VocabSize(), enc.BeginOfText(), enc.EndOfText()
	j.tokens = buffer[:0]
	continues := j.continues
	for _, document := range j.documents {
		begin := len(j.tokens)
		if !continues {
			j.tokens = append(j.tokens, beginOfText...)
		}
		continues = document.More
		j.tokens = enc.AppendEncode(j.tokens, document.Text)
		if !document.More {
			j.tokens = append(j.tokens, endOfText)
		}
		for _, token := range j.tokens[begin:] {
			if token < 0 || int(token) >= vocabSize {
				j.err = fmt.Errorf("data: %s: the tokenizer gave token %d, outside its vocabulary of %d (use the tokenizer's own end-of-text and vocabulary)",
					document.place(), token, vocabSize)
				return
			}
		}
		j.ends = append(j.ends, len(j.tokens))
	}
}
