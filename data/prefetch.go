package data

import "sync"

// Prefetch fills the batches of a Source ahead of time on a goroutine, in order.
type Prefetch struct {
	ready chan filled
	free  chan *Batch
	stop  chan struct{}
	done  sync.WaitGroup
	lent  *Batch
	err   error // sticks
}

type filled struct {
	batch *Batch
	err   error
}

// NewPrefetch starts at global sample position and keeps up to depth ≥ 1 batches ready. Close it to end its goroutine.
func NewPrefetch(source Source, position uint64, depth int) *Prefetch {
	depth = max(depth, 1)
	p := &Prefetch{ready: make(chan filled, depth+1), free: make(chan *Batch, depth+1), stop: make(chan struct{})}
	for range depth + 1 {
		p.free <- source.NewBatch()
	}
	p.done.Go(func() { p.fill(source, position) })
	return p
}

func (p *Prefetch) fill(source Source, position uint64) {
	defer close(p.ready)
	for {
		select {
		case <-p.stop:
			return
		case batch := <-p.free:
			err := source.Fill(batch, position)
			// Never blocks: ready has room for every batch.
			p.ready <- filled{batch, err}
			if err != nil {
				return
			}
			position += source.Stride()
		}
	}
}

// Next returns the next batch, without a copy; it stays valid until the next call of Next. After an error of the source,
// io.EOF at the end of an Eval, Next returns that error for good. It must not be called after Close.
func (p *Prefetch) Next() (*Batch, error) {
	if p.lent != nil {
		p.free <- p.lent
		p.lent = nil
	}
	if p.err != nil {
		return nil, p.err
	}
	next := <-p.ready
	if next.err != nil {
		p.err = next.err
		return nil, p.err
	}
	p.lent = next.batch
	return next.batch, nil
}

// Close ends the goroutine and waits for it.
func (p *Prefetch) Close() {
	close(p.stop)
	p.done.Wait()
}
