package bpe

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// corpus returns the documents of testdata/corpus.txt, which form feeds separate.
func corpus(t testing.TB) [][]byte {
	data, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(data, []byte("\f"))
}

func each(docs [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, doc := range docs {
			if !yield(doc, nil) {
				return
			}
		}
	}
}

// TestTrainMatchesHuggingFace compares vocabulary and merges with what BpeTrainer made (testdata/gen_golden.py).
func TestTrainMatchesHuggingFace(t *testing.T) {
	for _, c := range []struct {
		pattern   Pattern
		frequency int64
	}{{GPT2, 0}, {GPT4, 2}, {O200K, 0}} {
		for workers := 1; workers <= 3; workers++ {
			want, err := Load("testdata/hf_" + c.pattern.String() + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Train(context.Background(), each(corpus(t)), TrainConfig{Pattern: c.pattern, Vocab: 700,
				Special: []string{EndOfText}, MinFrequency: c.frequency, Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Config().Tokens, want.Config().Tokens) {
				t.Errorf("%v: tokens differ", c.pattern)
			}
			if !slices.Equal(got.Config().Merges, want.Config().Merges) {
				t.Errorf("%v: merges differ", c.pattern)
			}
		}
	}
}

// trainSlowly is Train's definition written down without any cleverness: queue and stale counts as in tokenizers.
func trainSlowly(words map[string]int64, vocab int) []Merge {
	type entry struct {
		count int64
		pair  Merge
		step  int
		words map[string]bool
	}
	tokens, ids := []string{}, map[string]int32{}
	for _, b := range bytesByChar() {
		ids[string([]byte{b})] = int32(len(tokens))
		tokens = append(tokens, string([]byte{b}))
	}
	split := map[string][]int32{}
	counts := map[Merge]int64{}
	var queue []*entry
	queueAll := func(step int, where map[Merge]map[string]bool) {
		for pair, words := range where {
			if counts[pair] > 0 {
				queue = append(queue, &entry{counts[pair], pair, step, words})
			}
		}
	}
	note := func(where map[Merge]map[string]bool, pair Merge, word string) {
		if where[pair] == nil {
			where[pair] = map[string]bool{}
		}
		where[pair][word] = true
	}
	where := map[Merge]map[string]bool{}
	for word, n := range words {
		for i := range len(word) {
			split[word] = append(split[word], ids[word[i:i+1]])
			if i > 0 {
				pair := Merge{split[word][i-1], split[word][i]}
				counts[pair] += n
				note(where, pair, word)
			}
		}
	}
	queueAll(0, where)
	var merges []Merge
	for len(tokens) < vocab && len(queue) > 0 {
		best := 0
		for i, e := range queue {
			b := queue[best]
			x, y := candidate{count: e.count, pair: pairOf(e.pair.Left, e.pair.Right), step: int32(e.step)},
				candidate{count: b.count, pair: pairOf(b.pair.Left, b.pair.Right), step: int32(b.step)}
			if x.before(&y) {
				best = i
			}
		}
		top := queue[best]
		if top.count != counts[top.pair] {
			top.count = counts[top.pair]
			continue
		}
		if top.count < 1 {
			break
		}
		queue = slices.Delete(queue, best, best+1)
		joined := tokens[top.pair.Left] + tokens[top.pair.Right]
		id, ok := ids[joined]
		if !ok {
			id = int32(len(tokens))
			ids[joined] = id
			tokens = append(tokens, joined)
		}
		merges = append(merges, top.pair)
		where := map[Merge]map[string]bool{}
		for word := range top.words {
			s := split[word]
			change := func(a, b int32, sign int64) {
				counts[Merge{a, b}] += sign * words[word]
				if sign > 0 {
					note(where, Merge{a, b}, word)
				}
			}
			for i := 0; i+1 < len(s); i++ {
				if s[i] != top.pair.Left || s[i+1] != top.pair.Right {
					continue
				}
				if i > 0 {
					change(s[i-1], s[i], -1)
					change(s[i-1], id, 1)
				}
				if i+2 < len(s) {
					change(s[i+1], s[i+2], -1)
					change(id, s[i+2], 1)
				}
				s[i] = id
				s = slices.Delete(s, i+1, i+2)
			}
			split[word] = s
		}
		queueAll(len(merges), where)
	}
	var distinct []Merge // of two equal ones the later
	for i, m := range merges {
		if !slices.Contains(merges[i+1:], m) {
			distinct = append(distinct, m)
		}
	}
	return distinct
}

// TestTrainMatchesDefinition: on small hostile corpora (long runs, few letters) the fast trainer does what the slow one
// does, whatever the number of workers.
func TestTrainMatchesDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 60 {
		letters := []string{"a", "b", "=", "ab", " ", "-", "é", "\n", "漢"}[:2+rng.IntN(8)]
		var docs [][]byte
		for range 1 + rng.IntN(20) {
			var b strings.Builder
			for range rng.IntN(40) {
				b.WriteString(strings.Repeat(letters[rng.IntN(len(letters))], 1+rng.IntN(9)))
			}
			docs = append(docs, []byte(b.String()))
		}
		cfg := TrainConfig{Pattern: Patterns()[rng.IntN(len(Patterns()))], Vocab: 256 + rng.IntN(60), Workers: 1 + rng.IntN(3)}
		got, err := Train(context.Background(), each(docs), cfg)
		if err != nil {
			t.Fatal(err)
		}
		split, words := newSplitter(cfg.Pattern), map[string]int64{}
		for _, doc := range docs {
			for _, word := range splitAll(&split, doc) {
				words[word]++
			}
		}
		if want := trainSlowly(words, cfg.Vocab); !slices.Equal(got.Config().Merges, want) {
			t.Fatalf("%+v on %q:\n got %v\nwant %v", cfg, docs, got.Config().Merges, want)
		}
	}
}

// TestDistinctMerges: of a pair that was merged twice the later place holds.
func TestDistinctMerges(t *testing.T) {
	a, b, c := Merge{1, 2}, Merge{2, 3}, Merge{3, 4}
	l := learner{merges: []Merge{a, b, a, c, b}}
	if got := l.distinctMerges(); !slices.Equal(got, []Merge{a, c, b}) {
		t.Errorf("got %v", got)
	}
}

// TestTrainFrequency: a pair that comes as often as MinFrequency is merged, one that
// comes once less is not.
func TestTrainFrequency(t *testing.T) {
	docs := [][]byte{[]byte("ab ab ab cd cd")}
	for frequency, want := range map[int64]string{0: "ab cd", 1: "ab cd", 2: "ab cd", 3: "ab", 4: ""} {
		tok, err := Train(context.Background(), each(docs), TrainConfig{Pattern: GPT2, Vocab: 300, MinFrequency: frequency})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, token := range []string{"ab", "cd"} {
			if _, ok := tok.ID([]byte(token)); ok {
				got = append(got, token)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("at least %d times: %q, want %q", frequency, got, want)
		}
	}
}

// TestTrainCutsLongDocuments: a document longer than a batch counts as if read whole.
func TestTrainCutsLongDocuments(t *testing.T) {
	long := bytes.Repeat(bytes.Join(corpus(t), []byte(" ")), 3*batchSize/20000)
	split := newSplitter(GPT4)
	whole := newWordCounts(maphash.MakeSeed())
	whole.addText(&split, long)
	cut, err := countWords(context.Background(), each([][]byte{long}), &split, 2, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.counts) != len(cut.counts) {
		t.Fatalf("%d distinct words whole, %d cut", len(whole.counts), len(cut.counts))
	}
	counts := map[string]int64{}
	for w, n := range whole.counts {
		counts[string(whole.word(w))] = n
	}
	for w, n := range cut.counts {
		if word := string(cut.word(w)); counts[word] != n {
			t.Errorf("%q: %d whole, %d cut", word, counts[word], n)
		}
	}
}

func TestTrainSpecials(t *testing.T) {
	specials := []string{EndOfText, "<a b>", "<é>", "ab"}
	docs := [][]byte{[]byte(strings.Repeat("ab <é> <a b> ", 40))}
	tok, err := Train(context.Background(), each(docs), TrainConfig{Vocab: 290, Special: specials})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range specials {
		if id, ok := tok.Special(s); !ok || int(id) != i {
			t.Errorf("special %q has id %d, %v", s, id, ok)
		}
	}
	back, err := ReadJSON(bytes.NewReader(tok.AppendJSON(nil)), "again")
	if err != nil {
		t.Fatal(err)
	}
	if back.Fingerprint() != tok.Fingerprint() {
		t.Error("tokenizer.json does not give the same tokenizer back")
	}
	text := docs[0]
	if got := tok.AppendDecode(nil, tok.AppendEncode(nil, text)); !bytes.Equal(got, text) {
		t.Errorf("%q comes back as %q", text, got)
	}
}

func TestTrainStops(t *testing.T) {
	failure := errors.New("disk on fire")
	failing := func(yield func([]byte, error) bool) {
		_ = yield([]byte("some text"), nil) && yield(nil, failure)
	}
	if _, err := Train(context.Background(), failing, TrainConfig{Vocab: 300}); !errors.Is(err, failure) {
		t.Errorf("iterator's error: got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cfg := TrainConfig{Vocab: 2000, Progress: func(p Progress) {
		if p.Merges >= 64 {
			cancel()
		}
	}}
	if _, err := Train(ctx, each(corpus(t)), cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while merging: got %v", err)
	}
	if _, err := Train(ctx, each(corpus(t)), TrainConfig{Vocab: 300}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while reading: got %v", err)
	}
}

func TestTrainConfigErrors(t *testing.T) {
	for want, cfg := range map[string]TrainConfig{
		"need at least 257": {Vocab: 256, Special: []string{EndOfText}},
		"the most is":       {Vocab: maxVocab + 1},
		"comes twice":       {Vocab: 400, Special: []string{"<a>", "<a>"}},
		"is empty":          {Vocab: 400, Special: []string{""}},
		"single byte":       {Vocab: 400, Special: []string{"Ġ"}},
		"not a pattern":     {Vocab: 400, Pattern: 99},
	} {
		if _, err := Train(context.Background(), each(nil), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestTrainNothing: without text there are the bytes, and no more.
func TestTrainNothing(t *testing.T) {
	tok, err := Train(context.Background(), each([][]byte{nil, {}}), TrainConfig{Vocab: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if tok.Vocab() != 256 {
		t.Errorf("vocabulary of %d", tok.Vocab())
	}
}
