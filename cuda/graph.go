//go:build gpu

package cuda

// #include <cuda.h>
import "C"

import "errors"

// Graph is captured work of a stream that one call replays: the same kernels
// and copies with the same addresses, which find what the memory holds then.
type Graph struct {
	device *Device
	exec   C.CUgraphExec
	nodes  int
}

// Capture records what f gives to the stream, without running it. f must not
// synchronise; it may use other streams of the device that wait for this one by
// an event and for which this one waits again before f returns. An error of f
// ends the capture and is returned.
func (s *Stream) Capture(f func() error) (_ *Graph, err error) {
	d := s.device
	if err := d.do("cuStreamBeginCapture", func() error {
		return result(C.cuStreamBeginCapture(s.handle(), C.CU_STREAM_CAPTURE_MODE_RELAXED))
	}); err != nil {
		return nil, err
	}
	failed := f()
	var captured C.CUgraph
	err = d.do("cuStreamEndCapture", func() error { return result(C.cuStreamEndCapture(s.handle(), &captured)) })
	if captured != nil {
		defer func() {
			err = errors.Join(err, d.do("cuGraphDestroy", func() error { return result(C.cuGraphDestroy(captured)) }))
		}()
	}
	if failed != nil { // the end of a broken capture fails too, and says less
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	return d.instantiate(captured, s)
}

// instantiate makes a graph ready, its first launch included.
func (d *Device) instantiate(captured C.CUgraph, s *Stream) (*Graph, error) {
	g := &Graph{device: d}
	var nodes C.size_t
	if err := d.do("cuGraphGetNodes", func() error { return result(C.cuGraphGetNodes(captured, nil, &nodes)) }); err != nil {
		return nil, err
	}
	g.nodes = int(nodes)
	if err := d.do("cuGraphInstantiate", func() error { return result(C.cuGraphInstantiate(&g.exec, captured, 0)) }); err != nil {
		return nil, err
	}
	if err := d.do("cuGraphUpload", func() error { return result(C.cuGraphUpload(g.exec, s.handle())) }); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// Launch replays the graph in a stream of its device.
func (g *Graph) Launch(s *Stream) error {
	return g.device.do("cuGraphLaunch", func() error { return result(C.cuGraphLaunch(g.exec, s.handle())) })
}

// Nodes is the number of kernels, copies and fills in the graph.
func (g *Graph) Nodes() int { return g.nodes }

// Close frees the graph; it must not run any more.
func (g *Graph) Close() error {
	return g.device.do("cuGraphExecDestroy", func() error { return result(C.cuGraphExecDestroy(g.exec)) })
}
