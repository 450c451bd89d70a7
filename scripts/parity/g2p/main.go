// Command g2p spells words as phonemes by the GRU encoder and decoder of g2p-en, whose weights
// g2p.py has put into a safetensors file: it reads a JSON list of words, each a list of
// characters by their ids, and prints one of the ids of phonemes.
//
//	go run ./scripts/parity/g2p -weights g2p.safetensors < words.json
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub/safetensors"
)

const (
	begin, end = 2, 3 // of the phonemes
	longest    = 20   // phonemes of a word, as in g2p-en
)

func main() {
	weights := flag.String("weights", "", "safetensors `FILE`")
	flag.Parse()
	if err := run(*weights); err != nil {
		fmt.Fprintln(os.Stderr, "g2p:", err)
		os.Exit(1)
	}
}

func run(weights string) error {
	var words [][]int32
	if err := json.NewDecoder(os.Stdin).Decode(&words); err != nil {
		return err
	}
	b, err := cpu.New(cpu.Config{})
	if err != nil {
		return err
	}
	defer b.Close()
	s := &speller{store: exec.NewStore(b), encoders: map[int]*exec.Session{}}
	if s.file, err = safetensors.Open(weights); err != nil {
		return err
	}
	defer s.file.Close()
	if s.decoder, err = s.session("decoder", s.decode); err != nil {
		return err
	}
	spelled := make([][]int32, len(words))
	for i, word := range words {
		if spelled[i], err = s.spell(word); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(spelled)
}

// speller holds the programs: an encoder for each length, and a step of the decoder.
type speller struct {
	file     *safetensors.File
	store    *exec.Store
	encoders map[int]*exec.Session
	decoder  *exec.Session
}

// state declares a tensor of the file.
func (s *speller) state(g *autograd.Graph, name string) *autograd.Node {
	t, ok := s.file.Tensor(name)
	if !ok {
		return g.State(name) // a shape that nothing fits
	}
	return g.State(name, t.Shape...)
}

// gru scans the embeddings of ids (T) from a first state: (T, H).
func (s *speller) gru(g *autograd.Graph, side string, ids, first *autograd.Node) *autograd.Node {
	x := autograd.Embedding(ids, s.state(g, side+"_emb"))
	x = autograd.Linear(x, s.state(g, side+"_w_ih"), s.state(g, side+"_b_ih"), autograd.OutIn)
	w := autograd.RecurrentWeights{Hidden: s.state(g, side+"_w_hh"), Bias: s.state(g, side+"_b_hh")}
	return autograd.Recurrent(x, w, autograd.RecurrentState{Hidden: first}, nil, autograd.RecurrentConfig{Cell: ir.GRU, Batch: 1})
}

// decode gives the next state and the scores of phonemes.
func (s *speller) decode(g *autograd.Graph) []*autograd.Node {
	width := s.state(g, "fc_w").Shape()[1]
	h := s.gru(g, "dec", g.Ints("ids", 1), g.Floats("state", 1, width))
	return []*autograd.Node{h, autograd.Linear(h, g.Declared("fc_w"), s.state(g, "fc_b"), autograd.OutIn)}
}

func (s *speller) session(name string, build func(g *autograd.Graph) []*autograd.Node) (*exec.Session, error) {
	g := autograd.NewGraph()
	p, err := g.Lower(name, build(g)...)
	if err != nil {
		return nil, err
	}
	built, err := plan.Build(p, plan.Options{Target: s.store.Backend().Target()})
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(s.store.Backend(), built.Arena)
	if err != nil {
		return nil, err
	}
	session, err := exec.NewSession(built, s.store, arena)
	if err != nil {
		return nil, err
	}
	for _, name := range s.store.Names() {
		t, _ := s.file.Tensor(name)
		values := make([]float32, s.store.Get(name).Shape.Size())
		if err := t.CopyFloat32(values); err != nil {
			return nil, err
		}
		if err := s.store.Write(name, values); err != nil {
			return nil, err
		}
	}
	return session, nil
}

// spell returns the phonemes of a word.
func (s *speller) spell(word []int32) ([]int32, error) {
	encoder := s.encoders[len(word)]
	if encoder == nil {
		var err error
		encoder, err = s.session("encoder", func(g *autograd.Graph) []*autograd.Node {
			return []*autograd.Node{s.gru(g, "enc", g.Ints("ids", len(word)), nil)}
		})
		if err != nil {
			return nil, err
		}
		s.encoders[len(word)] = encoder
	}
	width := s.store.Get("fc_w").Shape[1]
	states, scores := make([]float32, len(word)*width), make([]float32, s.store.Get("fc_w").Shape[0])
	if err := encoder.SetInts("ids", word); err != nil {
		return nil, err
	}
	if err := encoder.Run(); err != nil {
		return nil, err
	}
	if err := encoder.Output(0, states); err != nil {
		return nil, err
	}
	h, phonemes, last := states[len(states)-width:], []int32{}, int32(begin)
	for range longest {
		if err := s.decoder.SetInts("ids", []int32{last}); err != nil {
			return nil, err
		}
		if err := s.decoder.SetFloats("state", h); err != nil {
			return nil, err
		}
		if err := s.decoder.Run(); err != nil {
			return nil, err
		}
		if err := s.decoder.Output(0, h); err != nil {
			return nil, err
		}
		if err := s.decoder.Output(1, scores); err != nil {
			return nil, err
		}
		if last = generate.Likeliest(scores); last == end {
			break
		}
		phonemes = append(phonemes, last)
	}
	return phonemes, nil
}
