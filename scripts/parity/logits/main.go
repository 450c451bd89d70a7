// Command logits writes the logits (T, V) that a checkpoint computes after each of
// T tokens, with an adapter or without, and how it continues them greedily, into a
// safetensors file, for convert.py and lora.py to compare.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/zoo"
)

func main() {
	model := flag.String("model", "", "checkpoint `DIR`")
	adapter := flag.String("adapter", "", "adapter `DIR` on top of it")
	ids := flag.String("ids", "", "JSON `LIST` of token ids")
	greedy := flag.Int("greedy", 1, "tokens `N` of the continuation")
	out := flag.String("out", "", "`FILE` to write")
	flag.Parse()
	if err := run(*model, *adapter, *ids, *greedy, *out); err != nil {
		fmt.Fprintln(os.Stderr, "logits:", err)
		os.Exit(1)
	}
}

func run(dir, adapter, list string, greedy int, out string) error {
	var ids []int32
	if err := json.Unmarshal([]byte(list), &ids); err != nil {
		return fmt.Errorf("-ids: %w", err)
	}
	b, err := cpu.New(cpu.Config{})
	if err != nil {
		return err
	}
	defer b.Close()
	m, err := hub.Load(dir, adapter, b, vfs.OS{}, zoo.Families())
	if err != nil {
		return err
	}
	model, err := nn.AsLanguageModel(m.Model)
	if err != nil {
		return err
	}
	g, err := generate.New(model, m.Store, generate.Config{Context: len(ids) + greedy})
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
		{Name: "logits", DType: safetensors.F32, Shape: []int{len(ids), model.Vocab()}, Data: safetensors.Bytes(logits)},
		{Name: "tokens", DType: safetensors.I32, Shape: []int{greedy}, Data: safetensors.Bytes(continued.Tokens)},
	}, nil), f.Close())
}
