package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongFlags wants for flags that a command can't follow, at and beyond their borders, exit code 2, one line
// that names the flag on standard error, and nothing on standard output.
func TestWrongFlags(t *testing.T) {
	dir := t.TempDir()
	config, file := writeConfig(t, dir), write(t, filepath.Join(dir, "a.txt"), "a text\n")
	based := write(t, filepath.Join(dir, "based.yaml"), "base: "+dir+"\ndata: {train: ["+file+"]}\n")
	for _, line := range []string{
		"--threads is -1; use 0 for all cores: bench --threads -1",
		"--seconds is 0; use more than 0: bench --seconds 0",
		"--by-instruction and --repeat are of steps: bench --by-instruction",
		"--by-instruction and --repeat are of steps: bench --repeat --kernels",
		"--set changes the keys of a configuration; give one with --config: bench --set train.batch=2",
		"--step, --kernels, --decode and --config exclude each other: bench --decode --config CONFIG",
		`--shapes is "huge"; use small, cpu or gpu: bench --shapes huge`,
		"chat needs --model: chat",
		"data cipher needs --out: data cipher",
		"--count is 0; use 1 or more: data cipher --out DIR/p.tsv --count 0",
		"data godoc needs --out: data godoc",
		"--packages \"[\": data godoc --out DIR/g.jsonl --packages [",
		"--older-than: data clean --cache-dir DIR --older-than 3y",
		"--older-than: data clean --cache-dir DIR --older-than -1d",
		"embed needs --model: embed --text x",
		"needs --text or --data, one of them: embed --model DIR",
		"needs --text or --data, one of them: embed --model DIR --text x --data FILE",
		`--pooling is "max"; use mean or first: embed --model DIR --text x --pooling max`,
		"--batch is 0; use 1 or more: embed --model DIR --text x --batch 0",
		"--data: : embed --model DIR --data DIR/nope.txt",
		"--task names its own data; leave out --data: eval --task FILE --data FILE",
		"--task names its own data; leave out --data and [x]: eval --task FILE x",
		"--batch is 0; use 1 or more: eval --model DIR --task FILE --batch 0",
		"eval needs --model: eval --task FILE",
		"eval needs --model: eval --data FILE",
		"eval needs --data: eval --model DIR --format text",
		"sample needs --model: sample --prompt x",
		"needs --prompt or --prompt-file, one of them: sample --model DIR",
		"needs --prompt or --prompt-file, one of them: sample --model DIR --prompt x --prompt-file FILE",
		"--count is 0; use 1 or more: sample --model DIR --prompt x --count 0",
		"--prompt-file: open DIR/nope: sample --model DIR --prompt-file DIR/nope",
		"--beam is for models of an encoder and a decoder: sample --model DIR --prompt x --beam 2",
		"--length-penalty is for models of an encoder and a decoder: sample --model DIR --prompt x --length-penalty 2",
		"top-k -1 is negative: sample --model DIR --prompt x --top-k -1",
		"min-p 1.5 is outside [0, 1]: sample --model DIR --prompt x --min-p 1.5",
		"min-p -0.5 is outside [0, 1]: sample --model DIR --prompt x --min-p -0.5",
		"repetition penalty -1: sample --model DIR --prompt x --repetition-penalty -1",
		"--adapter: : sample --model DIR --prompt x --adapter DIR/nope",
		"score needs --data: score --model DIR",
		"score needs --model: score --data FILE",
		"tokenizer train needs --out: tokenizer train --data FILE",
		`--kind is "unigram"; use bpe or wordpiece: tokenizer train --out DIR/t --data FILE --kind unigram`,
		"--cased goes with --kind wordpiece only: tokenizer train --out DIR/t --data FILE --cased",
		"--pattern goes with --kind bpe only: tokenizer train --out DIR/t --data FILE --kind wordpiece --pattern gpt2",
		"--set goes with --config only: tokenizer train --out DIR/t --data FILE --set run.seed=1",
		"--kind goes with --data only: tokenizer train --out DIR/t --config CONFIG --kind bpe",
		"--pattern goes with --data only: tokenizer train --out DIR/t --config CONFIG --pattern gpt2",
		"--format goes with --data only: tokenizer train --out DIR/t --config CONFIG --format text",
		"--text-key goes with --data only: tokenizer train --out DIR/t --config CONFIG --text-key x",
		"--encoding goes with --data only: tokenizer train --out DIR/t --config CONFIG --encoding utf-8",
		"either --config or --data: tokenizer train --out DIR/t --config CONFIG --data FILE",
		"--data: : tokenizer train --out DIR/t --data DIR/nope",
		"whole numbers: tokenizer decode --tokenizer gpt2 x",
		"--tokenizer: : tokenizer encode --tokenizer nope x",
		`--out is "p.pdf"; the name of a picture ends in .png or .svg: plot --out p.pdf DIR`,
		`--split is "test"; it is train, val or left out for both: plot --split test DIR`,
		"there is no directory DIR/nope; name one that has runs: plot DIR/nope",
		"there is no directory DIR/nope; name one that has runs: runs DIR/nope",
		"begins from the base DIR: use gotrain finetune: pretrain --config BASED",
		"finetune needs --config: finetune",
		"--config: plan",
		"data prepare needs --config: data prepare",
		"--config: data inspect",
		"name the model that reads: data inspect FILE.jsonl",
		"data.format instruct needs no shards: data prepare --config CONFIG --set data.format=instruct --set tokenizer={path:gpt2} --set data.validation_paths=[] --set train.document_mask=true --set data.instruct={template:chatml}",
	} {
		at := strings.LastIndex(line, ": ")
		want, args := strings.TrimSuffix(line[:at], ":"), strings.Fields(line[at+2:])
		for i, arg := range args {
			args[i] = strings.NewReplacer("DIR", dir, "CONFIG", config, "FILE", file, "BASED", based).Replace(arg)
		}
		want = strings.ReplaceAll(want, "DIR", dir)
		o := gotrain(t, "", args...)
		first, more, _ := strings.Cut(o.errOut, "\n")
		if o.code != 2 || o.out != "" || more != "" || !strings.Contains(first, want) {
			t.Errorf("gotrain %s\nexit code %d, output %q, error %q\nwant one line with %q", strings.Join(args, " "), o.code, o.out, o.errOut, want)
		}
	}
}
