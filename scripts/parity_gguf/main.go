// Command parity_gguf writes the logits (T, V) that a checkpoint computes after
// each of T tokens, and how it continues them greedily, into a safetensors file,
// for parity_gguf.py to compare.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"gotrain/autograd/cpu"
	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/nn/generate"
	"gotrain/nn/zoo"
	"gotrain/train"
	"gotrain/train/safetensors"
)

func main() {
	model := flag.String("model", "", "checkpoint `DIR`")
	ids := flag.String("ids", "", "JSON `LIST` of token ids")
	greedy := flag.Int("greedy", 1, "tokens `N` of the continuation")
	out := flag.String("out", "", "`FILE` to write")
	flag.Parse()
	if err := run(*model, *ids, *greedy, *out); err != nil {
		fmt.Fprintln(os.Stderr, "parity_gguf:", err)
		os.Exit(1)
	}
}

func run(dir, list string, greedy int, out string) error {
	var ids []int32
	if err := json.Unmarshal([]byte(list), &ids); err != nil {
		return fmt.Errorf("-ids: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return err
	}
	config, err := zoo.ParseConfig(text)
	if err != nil {
		return err
	}
	m, err := zoo.New(config)
	if err != nil {
		return err
	}
	b, err := cpu.New(cpu.Config{})
	if err != nil {
		return err
	}
	defer b.Close()
	store := exec.NewStore(b)
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			return err
		}
	}
	if err := train.LoadParams(store, filepath.Join(dir, train.ModelFile), m.Params()); err != nil {
		return err
	}
	g, err := generate.New(m, store, generate.Config{Context: len(ids) + greedy})
	if err != nil {
		return err
	}
	var logits []float32
	for _, id := range ids {
		if err := g.Append(id); err != nil {
			return err
		}
		logits = append(logits, g.Logits()...)
	}
	continued, err := g.Generate(context.Background(), ids, generate.Options{MaxTokens: greedy, Reuse: true}, nil)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(safetensors.Write(f, []safetensors.Tensor{
		{Name: "logits", DType: safetensors.F32, Shape: []int{len(ids), config.Vocab}, Data: safetensors.Bytes(logits)},
		{Name: "tokens", DType: safetensors.I32, Shape: []int{greedy}, Data: safetensors.Bytes(continued.Tokens)},
	}, nil), f.Close())
}
