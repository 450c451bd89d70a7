package config

import (
	"fmt"
	"reflect"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/nn/zoo"
)

func changeTables() Tables {
	text := Choice{Name: "text", New: func() any { return &data.Config{Format: data.FormatText, TextKey: "text"} }}
	return Tables{Families: zoo.Families(), Recipes: []Recipe{{Name: "lm", Formats: []Choice{text}}, {Name: "other", Formats: []Choice{text}}}}
}

func assembled(t *testing.T, assignments ...string) Config {
	t.Helper()
	c, err := Assemble(changeTables(), append([]string{"data.train=[a.txt]", "base=b"}, assignments...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChanges(t *testing.T) {
	was := assembled(t)
	for _, tc := range []struct {
		set  []string
		want []Change
	}{
		{nil, nil},
		{[]string{"run.dir=elsewhere"}, nil},
		{[]string{"optimizer.lr=0.001", "train.steps=6e2"}, nil}, // as they were, written otherwise
		{[]string{"run.seed=4"}, []Change{{"run.seed", "1337", "4"}}},
		{[]string{"train.steps=900", "train.batch=8", "train.context=64"}, []Change{
			{"train.steps", "600", "900"}, {"train.batch", "16", "8"}, {"train.context", "0", "64"}}},
		{[]string{"optimizer.lr=3e-4", "optimizer.schedule=wsd", "optimizer.warmup=9", "optimizer.betas=[0.9, 0.99]"}, []Change{
			{"optimizer.lr", "0.001", "0.0003"}, {"optimizer.betas", "[0.9, 0.95]", "[0.9, 0.99]"},
			{"optimizer.schedule", "cosine", "wsd"}, {"optimizer.warmup", "50", "9"}}},
		{[]string{"data.train=[a.txt, 'b [1].txt']", "data.validation=0.2"}, []Change{
			{"data.train", "[a.txt]", `[a.txt, "b [1].txt"]`}, {"data.validation", "0.0", "0.2"}}},
		{[]string{"device=cpu", "precision=bfloat16", "model.dropout=0.1", "train.sample="}, []Change{
			{"device", "auto", "cpu"}, {"precision", "float32", "bfloat16"}, {"model.dropout", "0.0", "0.1"}, {"train.sample", "The", `""`}}},
		{[]string{"recipe.kind=other"}, []Change{{"recipe.kind", "lm", "other"}}},
	} {
		got, err := was.Changes(assembled(t, tc.set...))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%q:\n%q, %v, want\n%q", tc.set, got, err, tc.want)
		}
	}
}

func TestFixed(t *testing.T) {
	was := assembled(t, "lora.rank=2")
	if err := was.SetVocab(300); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		set        []string
		own, other []string // keys that cannot change: in the run, and from its checkpoint into another
	}{
		{nil, nil, nil},
		{[]string{"run.seed=4", "train.steps=9", "train.batch=2", "train.context=9", "optimizer.lr=1", "optimizer.schedule=wsd", "data.train=[x]",
			"model.dropout=0.5", "lora.dropout=0.5", "lora.alpha=2", "lora.merge=true", "optimizer.momentum=0.5", "precision=bfloat16"}, nil, nil},
		{[]string{"model.layers=3"}, []string{"model.layers"}, []string{"model.layers"}},
		{[]string{"model.vocab=301"}, []string{"model.vocab"}, []string{"model.vocab"}},
		{[]string{"tokenizer.kind=bytes", "tokenizer.vocab=300"}, []string{"tokenizer.kind", "tokenizer.vocab"}, []string{"tokenizer.kind", "tokenizer.vocab"}},
		{[]string{"optimizer.kind=lion"}, []string{"optimizer.kind"}, []string{"optimizer.kind"}},
		{[]string{"optimizer.ema=0.9", "train.freeze=['*.h.0.*']"}, []string{"train.freeze", "optimizer.ema"}, []string{"train.freeze", "optimizer.ema"}},
		{[]string{"base=c", "recipe.kind=other", "lora.rank=3"}, []string{"recipe.kind", "lora.rank"}, nil},
	} {
		now := assembled(t, append([]string{"lora.rank=2"}, tc.set...)...)
		for own, want := range map[bool][]string{true: tc.own, false: tc.other} {
			changes, err := was.Fixed(now, own)
			var got []string
			for _, c := range changes {
				got = append(got, c.Key)
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q, own %t: %q, %v, want %q", tc.set, own, got, err, want)
			}
		}
	}
}
