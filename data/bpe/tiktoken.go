package bpe

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// An Encoding is what tiktoken adds to a rank file: the pattern and the special tokens.
type Encoding struct {
	Name    string
	Pattern Pattern
	Special map[string]int32
}

// Encodings returns the encodings of tiktoken that this package knows.
func Encodings() []Encoding {
	return []Encoding{
		{"gpt2", GPT2, map[string]int32{EndOfText: 50256}},
		{"r50k_base", GPT2, map[string]int32{EndOfText: 50256}},
		{"p50k_base", GPT2, map[string]int32{EndOfText: 50256}},
		{"p50k_edit", GPT2, map[string]int32{EndOfText: 50256, "<|fim_prefix|>": 50281, "<|fim_middle|>": 50282, "<|fim_suffix|>": 50283}},
		{"cl100k_base", CL100K, map[string]int32{EndOfText: 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259,
			"<|fim_suffix|>": 100260, "<|endofprompt|>": 100276}},
		{"o200k_base", O200K, map[string]int32{EndOfText: 199999, "<|endofprompt|>": 200018}},
	}
}

// EncodingByName returns the encoding of a name such as "cl100k_base" or of a file name such as "cl100k_base.tiktoken".
func EncodingByName(name string) (Encoding, error) {
	short := strings.TrimSuffix(filepath.Base(name), ".tiktoken")
	var names []string
	for _, e := range Encodings() {
		if e.Name == short {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Encoding{}, &UnsupportedError{What: "tiktoken encoding", Value: short, Cure: "use one of " + strings.Join(names, ", ")}
}

// Limits of rank files.
const (
	maxTiktokenBytes = 64 << 20
	maxTiktokenToken = 1 << 10 // bytes of a token; merges are recovered in the square of it
)

// LoadTiktoken reads the rank file at path.
func LoadTiktoken(path string, e Encoding) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadTiktoken(f, path, e)
}

// ReadTiktoken reads a rank file: a line "base64 rank" for each token. name stands for the source in errors.
//
// tiktoken has no merges: it joins any two adjacent tokens whose joined bytes are a token, lowest rank first. Within the
// bytes of a token this always comes through the same last two parts, so those are its merge, and ids are the same.
func ReadTiktoken(r io.Reader, name string, e Encoding) (*Tokenizer, error) {
	tokens, err := readRanks(r)
	if err != nil {
		return nil, inFile(err, name)
	}
	cfg := Config{Pattern: e.Pattern, Tokens: tokens, Merges: recoverMerges(tokens), IgnoreMerges: true}
	for content, id := range e.Special {
		cfg.Added = append(cfg.Added, AddedToken{ID: id, Content: content, Special: true})
	}
	sort.Slice(cfg.Added, func(i, j int) bool { return cfg.Added[i].ID < cfg.Added[j].ID })
	t, err := New(cfg)
	if err == nil && t.gaps {
		return nil, inFile(faultf("", "the file lacks the single byte %s; is it complete?", quote(t.firstGap())), name)
	}
	return t, inFile(err, name)
}

// readRanks returns the tokens by rank.
func readRanks(r io.Reader) ([]string, error) {
	var tokens []string
	lines := bufio.NewReader(r)
	offset := int64(0)
	fault := func(text, cure string) error { return &FormatError{Offset: offset, Fault: text, Cure: cure} }
	for {
		line, err := readLine(lines)
		if err == io.EOF {
			return tokens, nil
		}
		if err != nil {
			return nil, err
		}
		if len(line) > 4*maxTiktokenToken {
			return nil, fault("line too long", "is this a .tiktoken file?")
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			coded, number, _ := bytes.Cut(text, []byte(" "))
			token, err := base64.StdEncoding.DecodeString(string(coded))
			rank, rankErr := strconv.Atoi(string(number))
			switch {
			case err != nil || rankErr != nil || len(token) == 0:
				return nil, fault("line is not \"base64 rank\"", "is this a .tiktoken file?")
			case rank < 0 || rank >= maxVocab:
				return nil, fault("rank "+string(number)+" is out of range", "ranks are below "+strconv.Itoa(maxVocab))
			case len(token) > maxTiktokenToken:
				return nil, fault("token too long", "tokens have at most "+strconv.Itoa(maxTiktokenToken)+" bytes")
			}
			for rank >= len(tokens) {
				tokens = append(tokens, "")
			}
			if tokens[rank] != "" {
				return nil, fault("rank "+strconv.Itoa(rank)+" comes twice", "")
			}
			tokens[rank] = string(token)
		}
		if offset += int64(len(line)); offset > maxTiktokenBytes {
			return nil, fault("file too large", "rank files have at most "+strconv.Itoa(maxTiktokenBytes)+" bytes")
		}
	}
}

// readLine returns the next line with its newline, cut off beyond the longest that is valid, or io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == io.EOF && len(line) > 0 || err == bufio.ErrBufferFull && len(line) > 4*maxTiktokenToken {
			return line, nil
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// recoverMerges finds, for each token of several bytes that merging can make, the merge that makes it.
func recoverMerges(tokens []string) []Merge {
	ranks := make(map[string]int32, len(tokens))
	for rank, token := range tokens {
		if token != "" {
			ranks[token] = int32(rank)
		}
	}
	var merges []Merge
	for _, token := range tokens {
		if len(token) < 2 {
			continue
		}
		if at := lastSplit(token, ranks); at > 0 {
			merges = append(merges, Merge{ranks[token[:at]], ranks[token[at:]]})
		}
	}
	return merges
}

// lastSplit merges token, by rank, up to its last two parts and returns where they meet, 0 if it does not get there.
func lastSplit(token string, ranks map[string]int32) int {
	const none = 1<<31 - 1
	rank := func(s string) int32 {
		if r, ok := ranks[s]; ok {
			return r
		}
		return none
	}
	ends := make([]int, len(token)) // ends of the parts
	pair := make([]int32, len(token))
	start := func(i int) int {
		if i == 0 {
			return 0
		}
		return ends[i-1]
	}
	for i := range ends {
		ends[i] = i + 1
	}
	for i := range len(ends) - 1 {
		pair[i] = rank(token[i : i+2])
	}
	for len(ends) > 2 {
		at := 0
		for i := range len(ends) - 1 {
			if pair[i] < pair[at] {
				at = i
			}
		}
		if pair[at] == none {
			return 0
		}
		ends = append(ends[:at], ends[at+1:]...)
		pair = append(pair[:at], pair[at+1:]...)
		if at > 0 {
			pair[at-1] = rank(token[start(at-1):ends[at]])
		}
		if at+1 < len(ends) {
			pair[at] = rank(token[start(at):ends[at+1]])
		}
	}
	return ends[0]
}

// firstGap returns the first byte that is no token.
func (t *Tokenizer) firstGap() string {
	return string([]byte{byte(slices.Index(t.byteIDs[:], -1))})
}
