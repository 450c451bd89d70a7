package autograd

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestRecurrentShapes: parts that miss each other by one size are refused, those that fit
// are not, and become the attributes that say so.
func TestRecurrentShapes(t *testing.T) {
	type parts struct {
		x, w, b, wr, h0, c0, segments []int
		cfg                           RecurrentConfig
	}
	lstm, gru := RecurrentConfig{Cell: ir.LSTM, Batch: 2}, RecurrentConfig{Cell: ir.GRU, Batch: 2, Reverse: true}
	s := func(shape ...int) []int { return shape }
	build := func(p parts) error {
		g := NewGraph()
		declare := func(name string, shape []int) *Node {
			if shape == nil {
				return nil
			}
			return g.Floats(name, shape...)
		}
		var segments *Node
		if p.segments != nil {
			segments = g.Ints("segments", p.segments...)
		}
		y := Recurrent(declare("x", p.x), RecurrentWeights{declare("w", p.w), declare("b", p.b), declare("wr", p.wr)},
			RecurrentState{declare("h0", p.h0), declare("c0", p.c0)}, segments, p.cfg)
		program, err := g.Lower("scan", y)
		if err != nil {
			return err
		}
		if got, want := program.Instrs[0].Attrs, (ir.RecurrentAttrs{Cell: p.cfg.Cell, Batch: 2, Reverse: p.cfg.Reverse}); got != want {
			t.Errorf("attributes are %+v, want %+v", got, want)
		}
		return nil
	}
	for _, p := range []parts{
		{x: s(6, 12), w: s(12, 3), cfg: lstm}, {x: s(6, 12), w: s(12, 3), b: s(12), h0: s(2, 3), c0: s(2, 3), segments: s(6), cfg: lstm},
		{x: s(6, 12), w: s(12, 2), wr: s(2, 3), h0: s(2, 2), c0: s(2, 3), cfg: lstm}, {x: s(6, 12), w: s(12, 4), b: s(12), h0: s(2, 4), cfg: gru},
	} {
		if err := build(p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []parts{
		{x: s(7, 12), w: s(12, 3), cfg: lstm}, {x: s(6, 13), w: s(13, 3), cfg: lstm}, {x: s(6, 12), w: s(12, 4), cfg: lstm}, {x: s(6, 12), w: s(12, 3), cfg: gru},
		{x: s(6, 12), w: s(16, 3), cfg: lstm}, {x: s(6, 12), w: s(12, 3), b: s(11), cfg: lstm}, {x: s(6, 12), w: s(12, 2), wr: s(3, 3), cfg: lstm},
		{x: s(6, 12), w: s(12, 4), wr: s(4, 4), cfg: gru}, {x: s(6, 12), w: s(12, 3), h0: s(3, 3), cfg: lstm}, {x: s(6, 12), w: s(12, 3), c0: s(2, 4), cfg: lstm},
		{x: s(6, 12), w: s(12, 4), c0: s(2, 4), cfg: gru}, {x: s(6, 12), w: s(12, 3), segments: s(5), cfg: lstm}, {x: s(6, 12, 1), w: s(12, 3), cfg: lstm},
		{x: s(6, 12), w: s(12, 3), cfg: RecurrentConfig{Cell: ir.LSTM}},
	} {
		if err := build(p); err == nil || !strings.HasPrefix(err.Error(), "Recurrent: the parts of a "+p.cfg.Cell.String()) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	cached := func(cell ir.Cell, hidden, cells, position []int, reverse bool) error {
		g, n := NewGraph(), 3*cell.Gates()
		var c *Node
		if cells != nil {
			c = g.State("c", cells...)
		}
		y := RecurrentCached(g.Floats("x", 4, n), RecurrentWeights{Hidden: g.Floats("w", n, 3)}, g.State("h", hidden...), c, g.Ints("position", position...),
			RecurrentConfig{Cell: cell, Batch: 2, Reverse: reverse})
		_, err := g.Lower("decode", y)
		return err
	}
	if err := cached(ir.LSTM, s(10, 3), s(10, 3), s(2), false); err != nil {
		t.Error(err)
	}
	if err := cached(ir.GRU, s(10, 3), nil, s(2), false); err != nil {
		t.Error(err)
	}
	for i, err := range []error{
		cached(ir.LSTM, s(10, 3), nil, s(2), false), cached(ir.LSTM, s(10, 3), s(8, 3), s(2), false), cached(ir.LSTM, s(10, 4), s(10, 3), s(2), false),
		cached(ir.LSTM, s(9, 3), s(9, 3), s(2), false), cached(ir.LSTM, s(10, 3), s(10, 3), s(3), false), cached(ir.LSTM, s(10, 3), s(10, 3), s(2), true),
		cached(ir.GRU, s(10, 3), s(10, 3), s(2), false), cached(ir.GRU, s(30), nil, s(2), false),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "RecurrentCached: ") {
			t.Errorf("case %d: %v", i, err)
		}
	}
}
