package bpe

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/data/hf"

	"pgregory.net/rapid"
)

// mixed makes text of about n bytes: fuzzed pieces, words that repeat, and bytes that are no UTF-8.
func mixed(rng *rand.Rand, n int) []byte {
	var out []byte
	for len(out) < n {
		switch rng.IntN(5) {
		case 0:
			out = append(out, fuzzText(rng, 8)...)
		case 1:
			out = append(out, byte(rng.IntN(256)), byte(rng.IntN(256)))
		default:
			out = append(out, " the and of Emma, said Mrs. Weston\n"[:1+rng.IntN(34)]...)
		}
	}
	return out
}

// TestEncodeParallel: any number of goroutines gives the ids of one, and concurrent use does not mix texts up.
func TestEncodeParallel(t *testing.T) {
	tok, err := Load("testdata/hf_gpt2.json")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(21, 22))
	text := mixed(rng, 4*parallelChunk)
	want := tok.AppendEncode(nil, text)
	if back := tok.AppendDecode(nil, want); !bytes.Equal(back, text) {
		t.Error("text does not come back")
	}
	for _, n := range []int{0, 1, 2, 5} {
		if got := tok.EncodeParallel(text, n); !slices.Equal(got, want) {
			t.Errorf("%d goroutines: other ids", n)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := tok.AppendEncode(nil, text[:parallelChunk]); !bytes.Equal(tok.AppendDecode(nil, got), text[:parallelChunk]) {
				t.Error("concurrent encoding went wrong")
			}
		})
	}
	wg.Wait()
}

func TestEncodeBatch(t *testing.T) {
	tok, err := Load("testdata/hf_o200k.json")
	if err != nil {
		t.Fatal(err)
	}
	docs := corpus(t)
	for i, ids := range tok.EncodeBatch(docs, 3) {
		if !slices.Equal(ids, tok.AppendEncode(nil, docs[i])) {
			t.Errorf("document %d: other ids", i)
		}
	}
}

// TestEncodeMatchesDefinition: windows and cache give what the scanners and merging give, for hostile text, cold and warm.
func TestEncodeMatchesDefinition(t *testing.T) {
	for _, name := range []string{"gpt2", "gpt4", "o200k"} {
		tok, err := Load("testdata/hf_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(23, 24))
		e := newEncoder(tok)
		var m merger
		for i := range 40 {
			text := mixed(rng, 1<<12)
			if i%2 == 0 {
				text = []byte(hostile(rng, 1<<12))
			}
			var want []int32
			for _, word := range splitAll(&tok.split, text) {
				want = m.heap(want, tok, []byte(word))
			}
			for range 2 {
				if got := e.appendText(nil, hf.NewText(text)); !slices.Equal(got, want) {
					t.Fatalf("%s: other ids for %q", name, text)
				}
			}
		}
	}
}

func TestAllowedSpecials(t *testing.T) {
	tok, err := Load("testdata/hf_gpt2.json")
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("a<|endoftext|>b<pad>c")
	eot, _ := tok.Special(EndOfText)
	pad, _ := tok.Special("<pad>")
	for _, c := range []struct {
		allowed  []string
		eot, pad bool
	}{{nil, true, true}, {[]string{EndOfText}, true, false}, {[]string{"<pad>", "none"}, false, true}, {[]string{"none"}, false, false}} {
		ids := tok.AppendEncodeSpecial(nil, text, c.allowed...)
		if slices.Contains(ids, eot) != c.eot || slices.Contains(ids, pad) != c.pad {
			t.Errorf("allowed %q: %v", c.allowed, ids)
		}
		if back := tok.AppendDecode(nil, ids); !bytes.Equal(back, text) {
			t.Errorf("allowed %q: comes back as %q", c.allowed, back)
		}
	}
}

// TestLongWord: a pre-token of a megabyte takes no quadratic time, and comes back.
func TestLongWord(t *testing.T) {
	tok, err := Load("testdata/hf_gpt2.json")
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("theandab"), 1<<17)
	if back := tok.AppendDecode(nil, tok.AppendEncode(nil, text)); !bytes.Equal(back, text) {
		t.Error("text does not come back")
	}
}

func TestBytes(t *testing.T) {
	tok, err := Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if tok.Vocab() != 257 {
		t.Errorf("vocabulary of %d", tok.Vocab())
	}
	if got := tok.AppendEncodeSpecial(nil, []byte("é\xff<|endoftext|>")); !slices.Equal(got, []int32{0xC3, 0xA9, 0xFF, 256}) {
		t.Errorf("got %v", got)
	}
}

func TestCharacters(t *testing.T) {
	text := []byte("aé漢字🙂 \xff")
	tok, err := Characters(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(tok.AppendEncode(nil, text)); got != 7 {
		t.Errorf("%d tokens for 7 characters", got)
	}
	other := []byte("b漣🙃\xe6")
	if back := tok.AppendDecode(nil, tok.AppendEncode(nil, other)); !bytes.Equal(back, other) {
		t.Errorf("%q comes back as %q", other, back)
	}
}

func TestLookUps(t *testing.T) {
	tok, err := Load("testdata/hf_gpt2.json")
	if err != nil {
		t.Fatal(err)
	}
	for id := int32(-1); int(id) <= tok.Vocab(); id++ {
		token := tok.TokenBytes(id)
		if valid := id >= 0 && int(id) < tok.Vocab(); valid != (token != nil) {
			t.Errorf("TokenBytes(%d) = %q", id, token)
		}
		if token == nil {
			continue
		}
		if back, ok := tok.ID(token); !ok || back != id {
			t.Errorf("ID(%q) = %d, %v, want %d", token, back, ok, id)
		}
	}
	if _, ok := tok.ID([]byte("no such token")); ok {
		t.Error("ID found no such token")
	}
	if got := tok.AppendDecode(nil, []int32{-5, 1 << 30}); len(got) != 0 {
		t.Errorf("unknown ids decode to %q", got)
	}
	if n := len(tok.Specials()); n != 4 {
		t.Errorf("%d special tokens", n)
	}
}

// TestFingerprint: whatever alters ids alters the fingerprint.
func TestFingerprint(t *testing.T) {
	base, err := Load("testdata/hf_gpt2.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{base.Fingerprint(): "base"}
	for name, change := range map[string]func(*Config){
		"pattern": func(c *Config) { c.Pattern = GPT4 },
		"merges":  func(c *Config) { c.Merges = c.Merges[:len(c.Merges)-1] },
		"ignore":  func(c *Config) { c.IgnoreMerges = true },
		"added":   func(c *Config) { c.Added = c.Added[:len(c.Added)-1] },
		"lstrip":  func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[1].LStrip = !c.Added[1].LStrip },
		"rstrip":  func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[1].RStrip = !c.Added[1].RStrip },
		"word":    func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[1].SingleWord = !c.Added[1].SingleWord },
		"altered": func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[1].Normalized = !c.Added[1].Normalized },
		"special": func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[1].Special = !c.Added[1].Special },
		"order": func(c *Config) {
			c.Merges = slices.Clone(c.Merges)
			c.Merges[0], c.Merges[1] = c.Merges[1], c.Merges[0]
		},
		"reverse": func(c *Config) {
			c.Merges = slices.Clone(c.Merges)
			for i, m := range c.Merges { // one that joins to a token either way round
				if slices.Contains(c.Tokens, c.Tokens[m.Right]+c.Tokens[m.Left]) && m.Left != m.Right {
					c.Merges[i] = Merge{m.Right, m.Left}
					return
				}
			}
			t.Fatal("no merge can be turned round")
		},
		"normalizer": func(c *Config) { c.Normalizer, _ = hf.ParseNormalizer([]byte(`{"type": "NFC"}`)) },
		"another":    func(c *Config) { c.Normalizer, _ = hf.ParseNormalizer([]byte(`{"type": "NFD"}`)) },
		"cut": func(c *Config) {
			p, _ := hf.ParsePreTokenizer([]byte(`{"type": "ByteLevel", "add_prefix_space": true, "use_regex": true}`), true, nil)
			c.PreTokenizer = &p
		},
		"cut otherwise": func(c *Config) {
			p, _ := hf.ParsePreTokenizer([]byte(`{"type": "ByteLevel", "add_prefix_space": true, "use_regex": false}`), true, nil)
			c.PreTokenizer = &p
		},
		"tokens": func(c *Config) {
			c.Tokens = append(slices.Clone(c.Tokens), "a new token")
			c.Added = c.Added[:1]
		},
	} {
		cfg := base.Config()
		change(&cfg)
		tok, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[tok.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[tok.Fingerprint()] = name
	}
}

// TestRoundTripProperty: every tokenizer gives any bytes back.
func TestRoundTripProperty(t *testing.T) {
	var all []*Tokenizer
	for _, name := range []string{"gpt2", "gpt4", "o200k"} {
		tok, err := Load("testdata/hf_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tok)
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.SampledFrom(pieces), func(s string) []byte { return []byte(s) }))).Draw(t, "text")
		text := bytes.ReplaceAll(bytes.Join(parts, nil), []byte("<"), nil) // no added tokens, which may take white space
		for _, tok := range all {
			if back := tok.AppendDecode(nil, tok.AppendEncode(nil, text)); !bytes.Equal(back, text) {
				t.Fatalf("%v: %q comes back as %q", tok.Pattern(), text, back)
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello, world"))
	f.Add([]byte("\xff\xfe\x00 漢\xe6\xbc"))
	f.Add(bytes.Repeat([]byte("ab "), 100))
	file, err := Load("testdata/hf_o200k.json")
	if err != nil {
		f.Fatal(err)
	}
	cfg := file.Config()
	cfg.Added = cfg.Added[:1]
	tok, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ids := tok.AppendEncode(nil, text)
		if back := tok.AppendDecode(nil, ids); !bytes.Equal(back, text) {
			t.Fatalf("%q comes back as %q", text, back)
		}
		if got := tok.EncodeParallel(text, 2); !slices.Equal(got, ids) {
			t.Fatalf("%q: parallel %v, serial %v", text, got, ids)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	all, err := peers()
	if err != nil {
		b.Fatal(err)
	}
	text := bytes.Repeat([]byte(strings.Join(pieces[:12], " ")+" It is a truth universally acknowledged, that a single man\n"), 1000)
	for name, p := range all {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var ids []int32
			for b.Loop() {
				ids = p.ours.AppendEncode(ids[:0], text)
			}
		})
	}
}
