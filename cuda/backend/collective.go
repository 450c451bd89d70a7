//go:build gpu

package backend

import (
	"errors"
	"fmt"
	"time"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// bucketBytes are the collectives that become one launch of NCCL: enough to fill the
// links, and a few launches only for the norms and biases of a model.
const bucketBytes = 4 << 20

// comm runs the collectives of plans on a stream of its own, overlapped with the kernels.
// What becomes one launch depends on the order of the program alone, which is the same on
// all ranks.
type comm struct {
	ranks  *cuda.Comm
	stream *cuda.Stream
	config Config

	bucket []collective // started, but not yet with NCCL
	bytes  int64        // of bucket
	flying map[*ir.Value]*cuda.Event
	events events
	begun  bool // since the last Sync

	// In graphs that have collectives: their begin, and where the first one may start.
	begin, first *cuda.Mark
	marking      bool // a graph is captured that has no collective yet
}

// collective is an instruction, in place.
type collective struct {
	in  *ir.Instr
	ptr cuda.Ptr
}

func (o collective) value() *ir.Value { return o.in.Out[0] }

// queue gives the collective to NCCL.
func (o collective) queue(ranks *cuda.Comm, s *cuda.Stream) error {
	to, _ := o.in.Attrs.(ir.RootAttrs) // AllReduce has none
	n, t := int64(o.value().Shape.Size()), dtype(o.value().DType)
	switch o.in.Kind {
	case ir.AllReduce:
		return ranks.AllReduce(s, o.ptr, o.ptr, n, t, cuda.Sum)
	case ir.ReduceTo:
		return ranks.Reduce(s, o.ptr, o.ptr, n, t, cuda.Sum, to.Root)
	case ir.BroadcastFrom:
		return ranks.Broadcast(s, o.ptr, o.ptr, n, t, to.Root)
	}
	return fmt.Errorf("cuda: %s is no collective", o.in.Kind)
}

func newComm(d *cuda.Device, cfg Config) (*comm, error) {
	c := &comm{ranks: cfg.Comm, config: cfg, flying: map[*ir.Value]*cuda.Event{}, events: events{device: d}}
	var err error
	if c.begin, err = d.NewMark(); err != nil {
		return c, err
	}
	if c.first, err = d.NewMark(); err != nil {
		return c, err
	}
	c.stream, err = d.NewStream()
	return c, err
}

// capture begins a graph, captured from main.
func (c *comm) capture(main *cuda.Stream) error {
	c.marking = true
	return c.begin.Record(main)
}

// captured ends it, and tells whether it has collectives.
func (c *comm) captured(main *cuda.Stream, failed bool) (bool, error) {
	err := c.end(main, failed)
	has := c.begun
	c.marking, c.begun = false, false
	return has, err
}

// wait waits for main and the other ranks.
func (c *comm) wait(main *cuda.Stream) error {
	c.begun = false
	wait := func() (time.Duration, error) {
		if err := c.ranks.Wait(main); err != nil {
			return 0, err
		}
		return c.first.Since(c.begin)
	}
	if c.config.Wait != nil {
		return c.config.Wait(wait)
	}
	_, err := wait()
	return err
}

// start begins a collective behind what the stream main has now.
func (c *comm) start(main *cuda.Stream, o collective) error {
	c.bucket = append(c.bucket, o)
	c.bytes += o.value().Bytes()
	if c.bytes < bucketBytes {
		return nil
	}
	return c.flush(main)
}

// flush gives the bucket to NCCL.
func (c *comm) flush(main *cuda.Stream) error {
	if len(c.bucket) == 0 {
		return nil
	}
	if c.marking {
		c.marking = false
		if err := c.first.Record(main); err != nil {
			return err
		}
	}
	if err := c.events.order(main, c.stream); err != nil {
		return err
	}
	err := cuda.Group(func() error {
		for _, o := range c.bucket {
			if err := o.queue(c.ranks, c.stream); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	done, err := c.events.record(c.stream)
	for _, o := range c.bucket {
		c.flying[o.value()] = done
	}
	c.bucket, c.bytes, c.begun = c.bucket[:0], 0, true
	return err
}

// await lets the stream main wait for the collective whose result is v.
func (c *comm) await(main *cuda.Stream, v *ir.Value) error {
	if c.flying[v] == nil {
		if err := c.flush(main); err != nil {
			return err
		}
	}
	done := c.flying[v]
	if done == nil {
		return nil // behind an error, it was not started
	}
	delete(c.flying, v)
	return main.Wait(done)
}

// end lets the stream main wait for all collectives, and forgets them. A rank that
// failed starts no more: its next one would not be that of the others.
func (c *comm) end(main *cuda.Stream, failed bool) error {
	var err error
	if !failed {
		err = c.flush(main)
	}
	if len(c.flying) > 0 {
		err = errors.Join(err, c.events.order(c.stream, main))
	}
	clear(c.flying)
	c.bucket, c.bytes = c.bucket[:0], 0
	c.events.used = 0
	return err
}

func (c *comm) close() error {
	errs := []error{c.events.close()}
	for _, m := range []*cuda.Mark{c.begin, c.first} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	if c.stream != nil {
		errs = append(errs, c.stream.Close())
	}
	return errors.Join(errs...)
}

// events are used over and over.
type events struct {
	device *cuda.Device
	all    []*cuda.Event
	used   int
}

// record returns a mark behind the work that a stream has now.
func (e *events) record(s *cuda.Stream) (*cuda.Event, error) {
	if e.used == len(e.all) {
		event, err := e.device.NewEvent()
		if err != nil {
			return nil, err
		}
		e.all = append(e.all, event)
	}
	event := e.all[e.used]
	e.used++
	return event, event.Record(s)
}

// order lets later work of one stream wait for what the other has now.
func (e *events) order(first, then *cuda.Stream) error {
	mark, err := e.record(first)
	if err != nil {
		return err
	}
	return then.Wait(mark)
}

func (e *events) close() error {
	var errs []error
	for _, event := range e.all {
		errs = append(errs, event.Close())
	}
	return errors.Join(errs...)
}

// bindCollective computes in place: x may be overwritten while that is on its way. A
// process that is alone only copies.
func bindCollective(c *call) func() {
	copied := c.copy(c.out(0), c.in(0), c.Out[0].Bytes())
	b, o := c.Backend, collective{c.Instr, c.out(0)}
	if b.comm == nil {
		return copied
	}
	return sequence(copied, func() { b.do(b.comm.start(b.stream, o)) })
}

// bindAwait copies nothing: the result has the storage of x.
func bindAwait(c *call) func() {
	b, x := c.Backend, c.In[0]
	if b.comm == nil {
		return func() {}
	}
	return func() { b.do(b.comm.await(b.stream, x)) }
}
