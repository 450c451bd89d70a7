//go:build ignore

// The Go side of bpe.sh: trains a tokenizer on listed files, or encodes a file, and prints one JSON object.
//
//	go run scripts/bench/bpe.go train LIST VOCAB PATTERN OUT [WORKERS]
//	go run scripts/bench/bpe.go encode TOKENIZER TEXT THREADS
//	go run scripts/bench/bpe.go ranks FOLDER      writes the .tiktoken files that tiktoken-go embeds
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"example.com/gotrain/data/bpe"
)

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) (map[string]any, error) {
	switch {
	case len(args) >= 5 && args[0] == "train":
		return train(args[1:])
	case len(args) == 4 && args[0] == "encode":
		return encode(args[1:])
	case len(args) == 2 && args[0] == "ranks":
		return ranks(args[1])
	}
	return nil, fmt.Errorf("usage: train LIST VOCAB PATTERN OUT [WORKERS] | encode TOKENIZER TEXT THREADS | ranks FOLDER")
}

func train(args []string) (map[string]any, error) {
	vocab, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	pattern, err := bpe.ParsePattern(args[2])
	if err != nil {
		return nil, err
	}
	cfg := bpe.TrainConfig{Pattern: pattern, Vocab: vocab, Special: []string{bpe.EndOfText}}
	if len(args) > 4 {
		if cfg.Workers, err = strconv.Atoi(args[4]); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	var read float64
	cfg.Progress = func(p bpe.Progress) {
		if p.Merges == 0 {
			read = time.Since(start).Seconds()
		}
	}
	t, err := bpe.Train(context.Background(), documents(args[0]), cfg)
	if err != nil {
		return nil, err
	}
	seconds := time.Since(start).Seconds()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return nil, err
	}
	return map[string]any{"seconds": seconds, "reading_s": read, "peak_mib": float64(usage.Maxrss) / 1024, "vocab": t.Vocab()}, t.Save(args[3])
}

// documents yields the files that the lines of list name.
func documents(list string) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		f, err := os.Open(list)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if data, err := os.ReadFile(lines.Text()); !yield(data, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// encode times the first and the best of rounds, by one thread in CPU time or by several by the clock.
func encode(args []string) (map[string]any, error) {
	t, err := load(args[0])
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return nil, err
	}
	threads, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	begin, clock := time.Now(), threadTime
	if threads > 1 {
		clock = func() (time.Duration, error) { return time.Since(begin), nil }
	}
	var ids []int32
	best, first := time.Duration(1<<62), time.Duration(0)
	for i := range 15 {
		start, err := clock()
		if err != nil {
			return nil, err
		}
		if threads > 1 {
			ids = t.EncodeParallel(text, threads)
		} else {
			ids = t.AppendEncode(nil, text)
		}
		end, err := clock()
		if err != nil {
			return nil, err
		}
		if best = min(best, end-start); i == 0 {
			first = end - start
		}
	}
	if threads > 1 && !slices.Equal(ids, t.AppendEncode(nil, text)) {
		return nil, fmt.Errorf("%d threads give other ids than one", threads)
	}
	buf := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
	}
	size := float64(len(text)) / 1e6
	return map[string]any{"mb_per_s": size / best.Seconds(), "first": size / first.Seconds(), "tokens": len(ids), "crc": crc32.ChecksumIEEE(buf)}, nil
}

// threadTime is the CPU time of this thread.
func threadTime() (time.Duration, error) {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	err := syscall.Getrusage(thread, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

func load(path string) (*bpe.Tokenizer, error) {
	if filepath.Ext(path) != ".tiktoken" {
		return bpe.Load(path)
	}
	e, err := bpe.EncodingByName(path)
	if err != nil {
		return nil, err
	}
	return bpe.LoadTiktoken(path, e)
}

// ranks writes r50k_base.tiktoken, cl100k_base.tiktoken and o200k_base.tiktoken.
func ranks(folder string) (map[string]any, error) {
	sizes := map[tokenizer.Encoding]uint{tokenizer.R50kBase: 50256, tokenizer.Cl100kBase: 100256, tokenizer.O200kBase: 199998}
	written := map[string]any{}
	for name, size := range sizes {
		codec, err := tokenizer.Get(name)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		for id := range size {
			token, err := codec.Decode([]uint{id})
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(token)), id)
		}
		if err := os.WriteFile(filepath.Join(folder, string(name)+".tiktoken"), b.Bytes(), 0o644); err != nil {
			return nil, err
		}
		written[string(name)] = size
	}
	return written, nil
}
