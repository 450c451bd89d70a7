package talk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/generate/generatetest"
	"example.com/gotrain/nn/talk"
)

const scriptContext = 140

// scripted is a speaker through ChatML whose model says what a test has it say. Its
// tokens are bytes, the end of text and the two marks of ChatML.
func scripted(t *testing.T, maxTokens int) (talk.Speaker, *generatetest.Script) {
	t.Helper()
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.Config()
	for _, s := range []string{"<|im_start|>", "<|im_end|>"} {
		cfg.Added = append(cfg.Added, hf.AddedToken{ID: int32(len(cfg.Tokens)), Content: s, Special: true})
		cfg.Tokens = append(cfg.Tokens, s)
	}
	tokens, err := bpe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := generatetest.New(t, tokens.Vocab(), scriptContext)
	g, err := generate.New(s, s.Store(), generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	template, vars, err := talk.OpenTemplate("chatml", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	frame, err := talk.NewFrame(tokens, template, vars, []int32{special(t, tokens, "<|endoftext|>")})
	if err != nil {
		t.Fatal(err)
	}
	return talk.Speaker{Generator: g, Tokens: tokens, Frame: frame, MaxTokens: maxTokens}, s
}

func special(t *testing.T, tokens data.Tokenizer, content string) int32 {
	t.Helper()
	id, ok := tokens.Special(content)
	if !ok {
		t.Fatalf("no token %s", content)
	}
	return id
}

// idsOf are the tokens of a text in which special tokens count.
func idsOf(s talk.Speaker, text string) []int32 {
	return s.Tokens.AppendEncodeSpecial(nil, []byte(text))
}

// TestAnswersOfChosenIDs: where an answer ends, what of it is text, and the bytes of its
// pieces, whatever characters they are parts of.
func TestAnswersOfChosenIDs(t *testing.T) {
	for _, tc := range []struct {
		says, text string
		max        int
		reason     generate.Reason
		tokens     int
	}{
		{"Hi<|im_end|>never", "Hi", 20, "stop", 2},
		{"Hi<|endoftext|>never", "Hi", 20, "stop", 2},
		{"<|im_end|>never", "", 20, "stop", 0},
		{"  two words \n<|im_end|>", "two words", 20, "stop", 13},
		{"né 😀 日本<|im_end|>", "né 😀 日本", 40, "stop", 15},
		{"a\xff\xf0\x9f<|im_end|>", "a\xff\xf0\x9f", 20, "stop", 4},
		{"one<|im_start|>two<|im_end|>", "one<|im_start|>two", 20, "stop", 7}, // it begins a turn, it ends none
		{"abcdefgh<|im_end|>", "abc", 3, "length", 3},
		{"日本<|im_end|>", "日\xe6", 4, "length", 4},
	} {
		s, script := scripted(t, tc.max)
		asked := []chat.Message{{Role: chat.User, Content: "Q"}}
		prompt, err := s.Frame.Prompt(asked...)
		if err != nil {
			t.Fatal(err)
		}
		if err := script.Say(len(prompt)-1, idsOf(s, tc.says)...); err != nil {
			t.Fatal(err)
		}
		whole, _, _ := strings.Cut(tc.says, "<|im_end|>")
		whole, _, _ = strings.Cut(whole, "<|endoftext|>")
		if tc.reason == generate.Length {
			whole = tc.text
		}
		var pieces []byte
		emitted := 0
		answer, err := s.Answer(t.Context(), asked, func(piece []byte) error {
			pieces = append(pieces, piece...)
			emitted++
			return nil
		})
		if err != nil || answer.Text != tc.text || answer.EndedBy != tc.reason || answer.Tokens != tc.tokens || emitted != tc.tokens || string(pieces) != whole {
			t.Errorf("%q: %+v, pieces %q, %v", tc.says, answer, pieces, err)
		}
		// A conversation says the same.
		c := talk.New(s, "")
		turn, err := c.Ask(t.Context(), "Q", nil)
		if err != nil || turn.User != "Q" || turn.Text != answer.Text || turn.EndedBy != answer.EndedBy || turn.Tokens != answer.Tokens {
			t.Errorf("%q: in a conversation %+v, %v", tc.says, turn, err)
		}
	}
}

// TestAnswerSamples: the sampling is the speaker's, and an answer without a limit goes on to
// the end of the context.
func TestAnswerSamples(t *testing.T) {
	s, script := scripted(t, 0)
	for p := range scriptContext {
		row := make([]float32, s.Tokens.Vocab())
		row['x'], row['y'] = 50, 49.9
		if err := script.Row(p, row); err != nil {
			t.Fatal(err)
		}
	}
	asked := []chat.Message{{Role: chat.User, Content: "Q"}}
	prompt, err := s.Frame.Prompt(asked...)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, sampling := range []generate.Sampling{{}, {Temperature: 1, Seed: 1}, {Temperature: 1, Seed: 2}, {Temperature: 1, TopK: 1}} {
		s.Sampling = sampling
		a, err := s.Answer(t.Context(), asked, nil)
		if greedy := strings.Trim(a.Text, "x") == ""; err != nil || a.EndedBy != generate.Full || a.Tokens != scriptContext+1-len(prompt) || greedy != (sampling.Temperature == 0 || sampling.TopK == 1) {
			t.Errorf("%+v: %+v, %v", sampling, a, err)
		}
		texts[a.Text] = true
	}
	if len(texts) != 3 {
		t.Errorf("greedy and two seeds gave %d different texts", len(texts))
	}
}

// TestHistory compares the messages after every turn with a naive history: what the system
// says stays, of the pairs of question and answer the oldest leave until the tokens of the
// rest leave room for an answer.
func TestHistory(t *testing.T) {
	for _, system := range []string{"", "Be kind."} {
		s, script := scripted(t, 5)
		for p := range scriptContext {
			if err := script.Say(p, []int32{'a', 'b', 'c'}[p%3]); err != nil {
				t.Fatal(err)
			}
		}
		const room = scriptContext - 32
		forgotten, due := 0, 0
		s.Forgotten = func() { forgotten++ }
		c := talk.New(s, system)
		var kept []chat.Message
		if system != "" {
			kept = append(kept, chat.Message{Role: chat.System, Content: system})
		}
		first := len(kept)
		for i := range 9 {
			question := fmt.Sprint("Question ", i)
			kept = append(kept, chat.Message{Role: chat.User, Content: question})
			for {
				ids, err := s.Frame.Prompt(kept...)
				if err != nil {
					t.Fatal(err)
				}
				if len(ids) <= room {
					break
				}
				kept = slices.Concat(kept[:first], kept[first+2:])
				due++
			}
			ids, err := s.Frame.Prompt(kept...)
			if err != nil {
				t.Fatal(err)
			}
			answer := ""
			for n := range 5 {
				answer += string("abc"[(len(ids)-1+n)%3])
			}
			kept = append(kept, chat.Message{Role: chat.Assistant, Content: answer})
			turn, err := c.Ask(t.Context(), question, nil)
			if err != nil || turn.Text != answer || turn.EndedBy != generate.Length {
				t.Fatalf("turn %d: %+v, %v, want %q", i, turn, err, answer)
			}
			got := c.Messages()
			if fmt.Sprint(got) != fmt.Sprint(kept) || forgotten != due {
				t.Fatalf("after turn %d, with %d forgotten:\n%v\nwant, with %d,\n%v", i, forgotten, got, due, kept)
			}
			got[0].Content = "changed by who asked for them"
		}
		if due == 0 {
			t.Error("nothing had to be forgotten")
		}
		if c.System() != system {
			t.Errorf("the system says %q, said %q", c.System(), system)
		}
	}
}

// TestStopTokens are the ends of texts and special tokens that end a template's turns, each
// once; ordinary text that ends a turn stops nothing.
func TestStopTokens(t *testing.T) {
	s, _ := scripted(t, 1)
	end, turn := special(t, s.Tokens, "<|endoftext|>"), special(t, s.Tokens, "<|im_end|>")
	for _, tc := range []struct {
		template string
		ends     []int32
		want     []int32
	}{
		{"{% for m in messages %}{{ m.content }}<|im_end|>\n{% endfor %}", []int32{end}, []int32{end, turn}},
		{"{% for m in messages %}{{ m.content }}<|im_end|>\n{% endfor %}", []int32{turn}, []int32{turn}},
		{"{% for m in messages %}{{ m.content }}<|im_end|>\n{% endfor %}", nil, []int32{turn}},
		{"{% for m in messages %}{{ m.content }}.\n{% endfor %}", []int32{end}, []int32{end}},
	} {
		template, err := chat.Parse("test", tc.template)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := talk.NewFrame(s.Tokens, template, chat.Vars{}, tc.ends)
		if err != nil || !slices.Equal(frame.Stop(), tc.want) {
			t.Errorf("%q after %v: %v, %v; want %v", tc.template, tc.ends, frame, err, tc.want)
		}
	}
}

// TestOpenTemplate: a name wins over the model's own template, and either way the template
// may name the model's tokens.
func TestOpenTemplate(t *testing.T) {
	dir := t.TempDir()
	config := `{"bos_token": "<b>", "eos_token": "<e>", "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"}`
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	messages := []chat.Message{{Role: chat.User, Content: "Q"}}
	for name, want := range map[string]string{"": "<b>Q<e>", "chatml": "<|im_start|>user\nQ<|im_end|>\n"} {
		template, vars, err := talk.OpenTemplate(name, dir, time.Now())
		if err != nil || vars.BOS != "<b>" || vars.EOS != "<e>" || vars.Now.IsZero() {
			t.Fatalf("%q: %+v, %v", name, vars, err)
		}
		if got, err := template.Render(messages, vars); err != nil || got != want {
			t.Errorf("%q renders %q, %v; want %q", name, got, err, want)
		}
	}
}
