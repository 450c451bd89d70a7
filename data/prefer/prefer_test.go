package prefer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
)

// written puts records into a file and streams them.
func written(t testing.TB, lines ...string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

// spell writes a conversation as u(…) a(…), what the loss counts in capitals A(…).
func spell(c chat.Conversation) string {
	var b strings.Builder
	for i, m := range c.Messages {
		name := map[string]string{chat.User: "u", chat.Assistant: "a", chat.System: "s"}[m.Role]
		if m.Role == chat.Assistant && !c.Masked[i] {
			name = "A"
		}
		fmt.Fprintf(&b, "%s(%s)", name, m.Content)
	}
	return b.String()
}

// TestShapes: records of TRL, Anthropic, UltraFeedback, OpenAI and ShareGPT are told apart by
// their keys, and only the answers that differ count.
func TestShapes(t *testing.T) {
	for name, c := range map[string][3]string{
		"explicit text":    {`{"prompt": "Q", "chosen": "yes", "rejected": "no"}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"with a system":    {`{"system": "S", "question": "Q", "chosen": "yes", "rejected": "no", "score_chosen": 8.5}`, "s(S)u(Q)A(yes)", "s(S)u(Q)A(no)"},
		"explicit lists":   {`{"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "yes"}], "rejected": [{"role": "assistant", "content": "no"}]}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"implicit lists":   {`{"chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "yes"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "no"}]}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"UltraFeedback":    {`{"prompt": "Q", "prompt_id": "x", "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "yes"}], "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "yes"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "no"}]}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"ShareGPT":         {`{"chosen": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "yes"}], "rejected": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "no"}]}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"a message":        {`{"prompt": "Q", "chosen": {"role": "assistant", "content": "yes"}, "rejected": {"role": "assistant", "content": "no"}}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"OpenAI":           {`{"input": {"messages": [{"role": "user", "content": "Q"}]}, "preferred_output": [{"role": "assistant", "content": "yes"}], "non_preferred_output": [{"role": "assistant", "content": "no"}]}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"Anthropic":        {`{"chosen": "\n\nHuman: Q\n\nAssistant: A\n\nHuman: R\n\nAssistant: yes", "rejected": "\n\nHuman: Q\n\nAssistant: A\n\nHuman: R\n\nAssistant: no"}`, "u(Q)a(A)u(R)A(yes)", "u(Q)a(A)u(R)A(no)"},
		"Anthropic prompt": {`{"prompt": "\n\nHuman: Q\n\nAssistant:", "chosen": "yes", "rejected": "no"}`, "u(Q)A(yes)", "u(Q)A(no)"},
		"implicit text":    {`{"chosen": "The sky is blue.", "rejected": "The sky is bright green."}`, "u(The sky is)A(blue.)", "u(The sky is)A(bright green.)"},
		"several turns":    {`{"prompt": "Q", "chosen": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "R"}, {"role": "assistant", "content": "b"}], "rejected": "no"}`, "u(Q)A(a)u(R)A(b)", "u(Q)A(no)"},
	} {
		var skipped Skipped
		n := 0
		for s, err := range Pairs(instruct.Records(written(t, c[0]), ""), &skipped) {
			if n++; err != nil || s.Label != 1 || spell(s.First) != c[1] || spell(s.Second) != c[2] {
				t.Errorf("%s: %s and %s, %v; want %s and %s", name, spell(s.First), spell(s.Second), err, c[1], c[2])
			}
		}
		if n != 1 || skipped != (Skipped{}) {
			t.Errorf("%s: %d samples, skipped %+v", name, n, skipped)
		}
	}
}

// TestJudgements: answers with labels, whose second sequence is their prompt with the answer
// of the record before; pairs are two of them.
func TestJudgements(t *testing.T) {
	var skipped Skipped
	var got []string
	for s, err := range Judgements(instruct.Records(written(t, `{"prompt": "P", "completion": "x", "label": true}`, `{"prompt": "Q", "completion": "y", "label": false}`,
		`{"prompt": "R", "chosen": "v", "rejected": "w"}`, `{"prompt": "S", "completion": " ", "label": true}`,
		`{"completion": [{"role": "user", "content": "T"}, {"role": "assistant", "content": "z"}], "label": 1}`), ""), &skipped) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%g %s %s", s.Label, spell(s.First), spell(s.Second)))
	}
	want := []string{"1 u(P)A(x) u(P)A(z)", "-1 u(Q)A(y) u(Q)A(x)", "1 u(R)A(v) u(R)A(y)", "-1 u(R)A(w) u(R)A(v)", "1 u(T)A(z) u(T)A(w)"}
	if !slices.Equal(got, want) || skipped != (Skipped{Empty: 1}) {
		t.Errorf("%q, skipped %+v; want %q", got, skipped, want)
	}
}

// TestHostileRecords: what teaches nothing is counted, what cannot be read is an error that
// names the line and the key.
func TestHostileRecords(t *testing.T) {
	var skipped Skipped
	for range Pairs(instruct.Records(written(t,
		`{"prompt": "Q", "chosen": "yes", "rejected": "yes"}`, `{"chosen": "same", "rejected": "same"}`,
		`{"chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"}]}`,
		`{"prompt": "Q", "chosen": "", "rejected": "no"}`, `{"prompt": "Q", "chosen": "yes", "rejected": " \n"}`,
		`{"prompt": "Q", "chosen": "\n\nHuman: Q\n\nAssistant: ", "rejected": "\n\nHuman: Q\n\nAssistant: b"}`,
	), ""), &skipped) {
		t.Error("a record that teaches nothing is a sample")
	}
	if skipped != (Skipped{Same: 3, Empty: 3}) {
		t.Errorf("skipped %+v", skipped)
	}
	for line, want := range map[string]string{
		`{"prompt": "Q", "chosen": "yes"}`:                                                `the keys ["chosen" "prompt"] are no pair`,
		`{"prompt": "Q", "completion": "yes", "label": true}`:                             "recipe.kind kto",
		`{"prompt": "Q", "chosen": 3, "rejected": "no"}`:                                  `key "chosen" is 3`,
		`{"prompt": "Q", "chosen": [], "rejected": "no"}`:                                 `key "chosen" is an empty list`,
		`{"chosen": "yes", "rejected": "no"}`:                                             `no key "prompt"`,
		`{"prompt": 7, "chosen": "yes", "rejected": "no"}`:                                `key "prompt" is 7`,
		`{"prompt": {}, "chosen": "yes", "rejected": "no"}`:                               `key "prompt" is an object without messages`,
		`{"prompt": "Q", "chosen": "yes", "rejected": "no", "margin": "much"}`:            `key "margin"`,
		`{"prompt": "Q", "chosen": [{"role": "user", "content": "Q"}], "rejected": "no"}`: `does not end with an answer`,
		`[1]`: "no object",
		`{"prompt": "Q", "chosen": "yes", "rejected": "no", "chosen": "x"}`:                                                                    "stands twice",
		`{"prompt": "Q", "chosen": [{"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant"}]}`:                              "content is missing",
		`{"prompt": "Q", "chosen": [{"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant", "content": "b", "weight": 7}]}`: "weight",
	} {
		var err error
		for _, err = range Pairs(instruct.Records(written(t, line), ""), &skipped) {
			break
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "p.jsonl:1") {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	for _, line := range []string{`{"prompt": "Q", "completion": "yes", "label": "perhaps"}`, `{"prompt": "Q", "completion": "yes"}`} {
		var err error
		for _, err = range Judgements(instruct.Records(written(t, line), ""), &skipped) {
			break
		}
		if err == nil || !strings.Contains(err.Error(), "p.jsonl:1") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// newSet encodes records with the plain template and a tokenizer of bytes.
func newSet(t *testing.T, cfg instruct.Config, length int, want Want, lines ...string) (*Set, error) {
	t.Helper()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Named("plain")
	if err != nil {
		t.Fatal(err)
	}
	enc := instruct.NewEncoder(tokens, template, chat.Vars{EOS: bpe.EndOfText})
	skipped := &Skipped{}
	return Build(t.Context(), cfg, enc, length, want, Pairs(instruct.Records(written(t, lines...), ""), skipped), skipped)
}

// pair is a record whose answers have so many letters.
func pair(prompt, chosen, rejected int) string {
	return fmt.Sprintf(`{"prompt": %q, "chosen": %q, "rejected": %q}`, strings.Repeat("q", prompt), strings.Repeat("c", chosen), strings.Repeat("r", rejected))
}

// TestRows: each row has its samples whole, each sequence a segment with positions from 0,
// targets and answers where a token of an answer is next, and what does not fit is counted.
func TestRows(t *testing.T) {
	var lines []string
	for i := range 20 {
		lines = append(lines, pair(3+i%4, 5+i, 2+i%7))
	}
	lines = append(lines, pair(200, 5, 5))
	const length = 160
	set, err := newSet(t, instruct.Default(), length, LogProbs|Referred|Mean, lines...)
	if err != nil {
		t.Fatal(err)
	}
	if s := set.Stats(); s.Samples != 20 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
	size := Size{Rows: data.Rows{Batch: 4}, Context: length, Micro: 2}
	l, err := NewLoader(set, size, LogProbs|Referred|Mean, true, 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	b := l.NewBatch()
	if err := l.Fill(b, 0); !errors.Is(err, errNoReference) {
		t.Errorf("without a reference: %v", err)
	}
	reference := make([]float32, 40)
	for i := range reference {
		reference[i] = float32(i)
	}
	if err := set.SetReference(reference); err != nil {
		t.Fatal(err)
	}
	p, seen, weight := PerRow(length), map[float32]bool{}, 0.0
	for position := uint64(0); position < uint64(l.Epoch()); position += 4 {
		if err := l.Fill(b, position); err != nil {
			t.Fatal(err)
		}
		weight += b.Weight
		if position+4 > uint64(l.Epoch()) {
			break // the next epoch begins in it
		}
		for row := range 4 {
			counts := make([]int, 2*p)
			for i := row * length; i < (row+1)*length; i++ {
				segment, answer := b.Ints[data.Segments][i], b.Ints[Answers][i]
				if (answer >= 0) != (b.Ints[data.Targets][i] >= 0) || answer >= 0 && int(answer) != row%2*2*p+int(segment) {
					t.Fatalf("row %d: target %d counts for %d, segment %d", row, b.Ints[data.Targets][i], answer, segment)
				}
				if begins := i == row*length || b.Ints[data.Segments][i-1] != segment; begins != (b.Ints[data.Positions][i] == 0) {
					t.Fatalf("row %d: position %d of segment %d", row, b.Ints[data.Positions][i], segment)
				}
				if answer >= 0 {
					counts[segment]++
				}
			}
			for s := range 2 * p {
				if w := b.Floats[Weights][row*2*p+s]; counts[s] > 0 && w != 1/float32(counts[s]) || counts[s] == 0 && w != 0 {
					t.Errorf("sequence %d of row %d has %d tokens and the weight %g", s, row, counts[s], w)
				}
				if has := b.Floats[Labels][row*p+s/2] == 1; has != (counts[s] > 0) {
					t.Errorf("sequence %d of row %d: a sample is there: %t", s, row, has)
				}
				if counts[s] > 0 {
					r := b.Floats[Reference][row*2*p+s] * float32(counts[s])
					seen[float32(int(r+0.5))] = true
				}
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d sequences in an epoch", len(seen))
	}
	again := l.NewBatch()
	if err := errors.Join(l.Fill(again, 4), l.Fill(b, 0), l.Fill(b, 4)); err != nil || !slices.Equal(again.Ints[data.IDs], b.Ints[data.IDs]) {
		t.Errorf("a batch depends on what was asked for before; %v", err)
	}
}

// TestHeldRows: held-out rows come once, and the source ends behind the last.
func TestHeldRows(t *testing.T) {
	set, err := newSet(t, instruct.Default(), 64, LastToken, pair(3, 4, 5), pair(3, 6, 2), pair(4, 3, 8))
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewEval(set, Size{Rows: data.Rows{Batch: 2}, Context: 64, Micro: 2}, LastToken, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, samples := l.NewBatch(), 0.0
	for position := uint64(0); ; position += 2 {
		err := l.Fill(b, position)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		samples += b.Weight
		for row := range 2 {
			for s := range 2 {
				at := b.Ints[Last][row*2*PerRow(64)+s]
				if b.Floats[Labels][row*PerRow(64)] == 1 && (int(at)/64 != row || b.Ints[data.IDs][at] != 256) {
					t.Errorf("the last token of sequence %d of row %d is %d at %d, want the end of the turn", s, row, b.Ints[data.IDs][at], at)
				}
			}
		}
	}
	if samples != 3 || l.Epoch() != 3 {
		t.Errorf("%g samples in %d rows", samples, l.Epoch())
	}
}

// TestCut: sequences that are cut have half a row; of answers that are equal then nothing is
// learnt.
func TestCut(t *testing.T) {
	cfg := instruct.Default()
	cfg.Truncate = instruct.TruncateLeft
	set, err := newSet(t, cfg, 64, LogProbs, pair(100, 5, 6), pair(3, 5, 6))
	if err != nil || set.Stats().Truncated != 2 || set.Samples() != 2 {
		t.Fatal(set, err)
	}
	cfg.Loss = instruct.LossAll
	if _, err := newSet(t, cfg, 64, LogProbs, pair(3, 5, 6)); err == nil || !strings.Contains(err.Error(), "data.instruct.loss is all") {
		t.Error(err)
	}
	if _, err := newSet(t, instruct.Default(), 64, LogProbs, pair(3, 40, 40)); err == nil || !strings.Contains(err.Error(), "with both of its answers") {
		t.Error(err)
	}
	if _, err := newSet(t, instruct.Default(), 64, LogProbs, pair(3, 5, 0)); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// TestKeys: a key tells tokens and what counts of them apart.
func TestKeys(t *testing.T) {
	set, err := newSet(t, instruct.Default(), 128, LogProbs, pair(3, 4, 5), pair(3, 4, 6), pair(4, 4, 5))
	if err != nil {
		t.Fatal(err)
	}
	keys := set.Keys()
	different := map[Key]bool{}
	for _, k := range keys {
		different[k] = true
	}
	if len(keys) != 6 || len(different) != 5 || keys[0] != keys[2] {
		t.Errorf("%d keys, %d of them different: the first two chosen answers are the same", len(keys), len(different))
	}
	if err := set.SetReference(make([]float32, 5)); err == nil {
		t.Error("5 log-probabilities for 6 sequences")
	}
}
