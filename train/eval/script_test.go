package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn/generate/generatetest"
	"example.com/gotrain/nn/talk"
	"example.com/gotrain/train/config"
)

const scriptContext = 30

// scripted is a model of bytes whose logits a test chooses.
func scripted(t *testing.T) (Subject, *generatetest.Script) {
	t.Helper()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s := generatetest.New(t, tokens.Vocab(), scriptContext)
	end, _ := tokens.Special("<|endoftext|>")
	return Subject{Model: s, Store: s.Store(), Tokens: tokens, Prompts: tokenizers.Prompts{Tokens: tokens, Empty: []int32{end}}, Ends: []int32{end, 'x'}}, s
}

// logOf is the log-probability of token id under logits that are zero but for some.
func logOf(vocab int, logits map[byte]float64, id int) float64 {
	sum := float64(vocab - len(logits))
	for _, x := range logits {
		sum += math.Exp(x)
	}
	return logits[byte(id)] - math.Log(sum)
}

// rowOf has the model's logits after a position.
func rowOf(t *testing.T, s *generatetest.Script, position int, logits map[byte]float64) {
	t.Helper()
	row := make([]float32, s.Vocab())
	for id, x := range logits {
		row[id] = float32(x)
	}
	if err := s.Row(position, row); err != nil {
		t.Fatal(err)
	}
}

// TestScoreByHand: log-likelihoods, means and the greedy answer of completions under chosen
// logits, with texts whose characters are longer than a byte.
func TestScoreByHand(t *testing.T) {
	subject, script := scripted(t)
	scorer, err := NewScorer(subject)
	if err != nil {
		t.Fatal(err)
	}
	// After "ab" the text goes on, greedily, with "é" (C3 A9) and then with any of all.
	rows := []map[byte]float64{{}, {0xc3: 3, 'x': 2, ' ': 1}, {0xa9: 2, 'y': 1.5, 'x': 1}, {}}
	for i, row := range rows {
		rowOf(t, script, i, row)
	}
	for _, tc := range []struct {
		prompt, completion string
		ids                []int // scored, from position 1 on
		greedy             bool
	}{
		{"ab", "é", []int{0xc3, 0xa9}, true},
		{"ab", "x", []int{'x'}, false},
		{"ab", "xy", []int{'x', 'y'}, false},
		{"ab", "\xc3y", []int{0xc3, 'y'}, false},
		{"ab ", "x", []int{' ', 'x'}, false},        // the space counts to the completion
		{"ab", "é\x00", []int{0xc3, 0xa9, 0}, true}, // of equals the lowest id
		{"ab", "é\x01", []int{0xc3, 0xa9, 1}, false},
	} {
		want := 0.0
		for i, id := range tc.ids {
			want += logOf(script.Vocab(), rows[1+i], id)
		}
		l, err := scorer.Score(Question{Prompt: tc.prompt, Completion: tc.completion, Line: 7})
		if err != nil || math.Abs(l.LogLikelihood-want) > 1e-4 || l.Tokens != len(tc.ids) || l.Greedy != tc.greedy || l.Line != 7 || len(l.TokenLogprobs) != len(tc.ids) {
			t.Errorf("%q %q: %+v, %v; want %g for %d tokens, greedy %t", tc.prompt, tc.completion, l, err, want, len(tc.ids), tc.greedy)
		}
		if math.Abs(l.PerToken-want/float64(len(tc.ids))) > 1e-4 || math.Abs(l.PerByte-want/float64(len(tc.completion))) > 1e-4 {
			t.Errorf("%q: %g a token and %g a byte of %g", tc.completion, l.PerToken, l.PerByte, want)
		}
		for _, greedy := range []bool{true, false} {
			query := Query{Prompt: tc.prompt, Completions: []string{tc.completion}, Greedy: greedy}
			if err := NewLanguage(subject, nil, 3).Score(t.Context(), []Query{query}, func(i int, scores []Completion) error {
				if math.Abs(scores[0].LogLikelihood-want) > 1e-4 || scores[0].Greedy != (greedy && tc.greedy) || i != 0 {
					t.Errorf("%q %q: a language has %+v, want %g, greedy %t", tc.prompt, tc.completion, scores, want, tc.greedy)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPromptsThatAreTooLong lose their beginning: the score is that of the tokens which are
// left, the first of which is at position 0 again.
func TestPromptsThatAreTooLong(t *testing.T) {
	real, err := subject() // a context of 16
	if err != nil {
		t.Fatal(err)
	}
	long := "0123456789abcdefghijklmnopqrstuvwxyz"
	for _, completion := range []string{"l", "line"} {
		left := long[len(long)-(16+1-len(completion)):]
		for name, score := range map[string]func(prompt string) (float64, error){
			"scorer": func(prompt string) (float64, error) {
				s, err := NewScorer(real)
				if err != nil {
					return 0, err
				}
				l, err := s.Score(Question{Prompt: prompt, Completion: completion})
				if want := len(prompt) - len(left); l.Overflow != want {
					return 0, fmt.Errorf("%d tokens overflow, want %d", l.Overflow, want)
				}
				return l.LogLikelihood, err
			},
			"language": func(prompt string) (float64, error) {
				return likelihood(NewLanguage(real, nil, 1), prompt, completion)
			},
		} {
			whole, err := score(long)
			cut, err2 := score(left)
			if err = errors.Join(err, err2); err != nil || math.Abs(whole-cut) > 1e-6 {
				t.Errorf("%s, %q: %g, of what fits %g, %v", name, completion, whole, cut, err)
			}
			if other, err := score("z" + left[1:]); err != nil || math.Abs(other-cut) < 1e-7 {
				t.Errorf("%s, %q: the first token that fits makes no difference", name, completion)
			}
		}
	}
	// Of completions of two lengths, each has the prompt that it leaves room for.
	language := NewLanguage(real, nil, 4)
	if err := language.Score(t.Context(), []Query{{Prompt: long, Completions: []string{"l", "line", "k", "a"}}}, func(_ int, scores []Completion) error {
		for i, completion := range []string{"l", "line", "k", "a"} {
			if alone, err := likelihood(language, long, completion); err != nil || alone != scores[i].LogLikelihood || scores[i].Overflow <= 0 {
				t.Errorf("%q has %g beside others, alone %g, %v", completion, scores[i].LogLikelihood, alone, err)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	whole, overflow, err := language.Generate(t.Context(), long, nil, 4)
	if end, none, err2 := language.Generate(t.Context(), long[len(long)-12:], nil, 4); err != nil || err2 != nil || whole != end || overflow != len(long)-12 || none != 0 {
		t.Errorf("a long prompt goes on with %q, its end with %q, %v %v; %d and %d tokens are left out", whole, end, err, err2, overflow, none)
	}
	if got := lastOf([]int32{1, 2, 3, 4}, 3); !slices.Equal(got, []int32{2, 3, 4}) || len(lastOf(got, 0)) != 1 {
		t.Errorf("the last 3 of 4 are %v", got)
	}
	// An empty prompt is the first token that ends a text, whatever others there are.
	real.Ends = append(real.Ends, 'q')
	empty, err := NewScorer(real)
	if err != nil {
		t.Fatal(err)
	}
	got, err := empty.Score(Question{Completion: "a"})
	if err != nil {
		t.Fatal(err)
	}
	logs, err := empty.scorer.Score(real.Ends[:1], []int32{'a'})
	if err != nil || math.Abs(got.LogLikelihood-float64(logs[0])) > 1e-6 {
		t.Errorf("after nothing %g, after the end of a text %v, %v", got.LogLikelihood, logs, err)
	}
}

// TestLanguageIsWithoutMemory: what was asked before makes no difference to an answer.
func TestLanguageIsWithoutMemory(t *testing.T) {
	real, err := subject()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(l *Language, what string) string {
		prompt, completion, scored := strings.Cut(what, "|")
		if !scored {
			text, _, err := l.Generate(context.Background(), prompt, nil, 4)
			return fmt.Sprint(text, err)
		}
		sum, err := likelihood(l, prompt, completion)
		return fmt.Sprint(sum, err)
	}
	all := []string{"line|ab", "line|ba", "mine|ab", "line|ab", "line", "line|ab", "mine", "line|ab", "lines|ab", "lin|eab", "line|a"}
	shared := NewLanguage(real, nil, 1)
	for i, what := range all {
		fresh := NewLanguage(real, nil, 1)
		if got, want := ask(shared, what), ask(fresh, what); got != want {
			t.Errorf("question %d, %q: %s, asked alone %s", i, what, got, want)
		}
	}
}

// TestGenerateOfChosenIDs: where a generated answer ends, and how much of a long prompt stays
// so that it has room.
func TestGenerateOfChosenIDs(t *testing.T) {
	subject, script := scripted(t)
	says := func(at int, text string) {
		t.Helper()
		if err := script.Say(at, subject.Tokens.AppendEncodeSpecial(nil, []byte(text))...); err != nil {
			t.Fatal(err)
		}
	}
	plain := NewLanguage(subject, nil, 1)
	for _, tc := range []struct {
		prompt, says, stop string
		max                int
		want               string
	}{
		{"Q: ", "ab##cd##ef", "##", 10, "ab##"},
		{"Q: ", "ab##cd", "", 5, "ab##c"},
		{"Q: ", "abxcd", "", 5, "ab"},           // x ends texts
		{"Q: ", "é<|endoftext|>cd", "", 5, "é"}, // and so does this
		{strings.Repeat("p", 50), "1234567", "", 6, "123456"},
		{strings.Repeat("p", 50), "123##", "##", 500, "123##"}, // half of the context is the prompt's
	} {
		at := min(len(tc.prompt), scriptContext-min(tc.max, scriptContext/2)) - 1
		says(at, tc.says)
		got, _, err := plain.Generate(t.Context(), tc.prompt, []string{"%%", tc.stop}[:1+min(1, len(tc.stop))], tc.max)
		if err != nil || got != tc.want {
			t.Errorf("%q after %.5q up to %q: %q, %v; want %q", tc.says, tc.prompt, tc.stop, got, err, tc.want)
		}
	}
	// Through a template, answers end where its turns do, and not where texts of the model do.
	template, vars, err := talk.OpenTemplate("plain", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	frame, err := talk.NewFrame(subject.Tokens, template, vars, subject.Ends[:1])
	if err != nil {
		t.Fatal(err)
	}
	framed := NewLanguage(subject, frame, 1)
	prompt, err := frame.Prompt(UserSays("Q")...)
	if err != nil {
		t.Fatal(err)
	}
	says(len(prompt)-1, "axb<|endoftext|>c")
	if got, _, err := framed.Generate(t.Context(), "Q", nil, 5); err != nil || got != "axb" {
		t.Errorf("in a turn: %q, %v", got, err)
	}
	// Of a frame that is too long the end stays, which begins the answer.
	ids, completion, _, err := framed.encode(strings.Repeat("p", 60), "ab")
	if end, _ := frame.Prompt(UserSays(strings.Repeat("p", 60))...); err != nil || len(completion) != 2 || !slices.Equal(ids, end[len(end)-(scriptContext+1-2):]) {
		t.Errorf("of the frame %v stays, %v", ids, err)
	}
}

// TestTextByHand compares the figures of a text with what the test computes, with document
// masks and without.
func TestTextByHand(t *testing.T) {
	subject, script := scripted(t)
	rows := make([]map[byte]float64, scriptContext)
	for p := range rows {
		rows[p] = map[byte]float64{'a': float64(p % 3), 'b': 1, 0xc3: float64(p%5) / 2}
		rowOf(t, script, p, rows[p])
	}
	enc := tokenizers.NewEncoder(subject.Tokens, nil, subject.Ends[0])
	dir := t.TempDir()
	var all []int32
	bytes := 0
	texts := []string{strings.Repeat("abé", 11), "b", strings.Repeat("aé", 30)}
	var lines strings.Builder
	for _, text := range texts {
		all = append(enc.AppendEncode(all, []byte(text)), enc.EndOfText())
		bytes += len(text)
		fmt.Fprintf(&lines, "{\"text\": %q}\n", text)
	}
	file := write(t, dir, "a.jsonl", lines.String())
	prepared, err := data.Prepare(t.Context(), data.Config{Paths: []string{file}, Format: data.FormatJSONL, CacheDir: dir}, enc, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	for _, masked := range []bool{false, true} {
		nll, scored, scoredBytes, place := 0.0, 0, 0, 0
		for i := range len(all) - 1 {
			if i%scriptContext == 0 {
				place = 0
			}
			position := i % scriptContext
			if masked {
				position = place
			}
			place++
			if all[i] == enc.EndOfText() {
				place = 0
				if masked {
					continue
				}
			}
			logits := rows[position]
			if id := all[i+1]; id == enc.EndOfText() {
				nll -= logOf(script.Vocab(), logits, 0)
			} else {
				nll -= logOf(script.Vocab(), logits, int(id))
				scoredBytes++
			}
			scored++
		}
		nll /= float64(scored)
		cfg := config.Default(config.Tables{})
		cfg.Train.DocumentMask = masked
		for _, batch := range []int{1, 3, 8} {
			got, err := Text(cfg, subject.Model, subject.Store, prepared.Train, enc, batch, 0)
			if err != nil {
				t.Fatal(err)
			}
			for name, x := range map[string][2]float64{
				"nll": {got.NLL, nll}, "ppl": {got.PPL, math.Exp(nll)}, "bits per byte": {*got.BitsPerByte, nll * float64(scored) / float64(scoredBytes) / math.Log(2)},
				"tokens": {float64(got.Tokens), float64(scored)}, "bytes": {float64(got.Bytes), float64(bytes)}, "documents": {float64(got.Documents), 3},
			} {
				if math.Abs(x[0]-x[1]) > 1e-4*x[1] {
					t.Errorf("masked %t, batches of %d: %s is %g, want %g", masked, batch, name, x[0], x[1])
				}
			}
		}
	}
}
