package bootstrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/chat"
	. "example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

// scribe answers by rule, as a function of prompt and seed.
type scribe struct {
	backwards bool                   // the order in which answers come
	asked     map[string]int         // by prompt and seed
	reply     func(p Prompt) *Answer // in place of the rule
	fail      error
}

func (s *scribe) About() About { return About{Model: "scribe", Hash: "00ff", Sampling: "by rule"} }

func (s *scribe) Answer(ctx context.Context, prompts []Prompt, done func(int, Answer) error) error {
	for i := range prompts {
		if s.backwards {
			i = len(prompts) - 1 - i
		}
		if s.fail != nil {
			return s.fail
		}
		if s.asked != nil {
			s.asked[fmt.Sprint(prompts[i].Seed, prompts[i].Whole())]++
		}
		a := write(prompts[i])
		if s.reply != nil {
			if own := s.reply(prompts[i]); own != nil {
				a = *own
			}
		}
		if err := done(i, a); err != nil {
			return err
		}
	}
	return ctx.Err()
}

var verbs = strings.Fields("sort name explain compare count describe translate correct shorten continue rank paint measure fold weigh open")

// listed is how a prompt for tasks ends.
var listed = regexp.MustCompile(`\nTask \d+:$`)

// write is what a model might answer.
func write(p Prompt) Answer {
	draw := rand.New(rand.NewPCG(p.Seed, 1))
	phrase := func() string {
		words := []string{verbs[draw.IntN(len(verbs))]}
		for range 5 + draw.IntN(6) {
			words = append(words, fmt.Sprintf("w%d", draw.IntN(300)))
		}
		return strings.Join(words, " ")
	}
	switch text := p.Whole(); {
	case listed.MatchString(text):
		return Answer{Text: fmt.Sprintf(" %s\nTask 10: %s\n11. %s\n\n12) draw a picture of %s\n13. too short\nTask 14: %[1]s\n", phrase(), phrase(), phrase(), phrase()), Ended: true}
	case strings.HasSuffix(text, "Labels:"):
		return Answer{Text: []string{" Yes", " No."}[draw.IntN(2)], Ended: true}
	case strings.HasSuffix(text, "\nInput:"):
		return Answer{Text: fmt.Sprintf(" none\nOutput: %s\n", phrase()), Ended: draw.IntN(9) > 0}
	case strings.HasSuffix(text, "\nOutput:"):
		return Answer{Text: fmt.Sprintf(" label%d\nInput: %s\n\nOutput: label9\nInput: %s", draw.IntN(3), phrase(), phrase()), Ended: true}
	}
	return Answer{Text: phrase(), Ended: true}
}

// seeds are tasks of both kinds.
func seeds() []Task {
	yes, no := true, false
	return []Task{
		{ID: "s1", Instruction: "Tell the mood of the sentence, good or bad.", Input: "I like it.", Output: "good", Class: &yes},
		{ID: "s2", Instruction: "Is the number even?", Input: "7", Output: "no", Class: &yes},
		{ID: "s3", Instruction: "Name three colours of light.", Output: "red, green, blue", Class: &no},
		{ID: "s4", Instruction: "Put the words in order of the alphabet.", Input: "ray lens", Output: "lens ray", Class: &no},
	}
}

func config(dir string, count int) Config {
	return Config{Dir: dir, Method: SelfInstruct{MaxTokens: 100}, Count: count, Seed: 7, Round: 3, Patience: 5,
		Filter: Filter{Rouge: 0.7, MinHash: 0.8, MinWords: 4, MaxWords: 150, Rules: true}}
}

func read(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	raw, err := vfs.ReadFile(fsys, name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func records(t *testing.T, fsys vfs.FS, dir string) (all []Record) {
	t.Helper()
	for text := range strings.Lines(read(t, fsys, filepath.Join(dir, RecordsFile))) {
		var r Record
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestSelfInstruct(t *testing.T) {
	fsys := vfstest.NewMem()
	p, err := Run(context.Background(), fsys, config("synth", 25), seeds(), &scribe{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := records(t, fsys, "synth")
	if len(all) != 25 || p.Kept != 25 {
		t.Fatalf("%d records, %d kept", len(all), p.Kept)
	}
	labels, parents := 0, map[string]bool{}
	for _, r := range all {
		if r.Instruction == "" || r.Input == nil || r.Output == "" || len(r.ID) != 16 {
			t.Errorf("%+v", r)
		}
		if strings.HasPrefix(r.Output, "label") {
			labels++
		}
		m := r.Metadata
		if m.Method != "self-instruct" || m.Model != "scribe" || m.Hash != "00ff" || len(m.Calls) != 3 || m.Calls[0].Stage != "tasks" || m.Calls[2].Seed == 0 || !strings.Contains(m.Calls[2].Prompt, r.Instruction) {
			t.Errorf("%+v", m)
		}
		for _, id := range m.Parents {
			parents[id] = true
		}
	}
	if labels == 0 || labels == 25 || len(parents) < 6 {
		t.Errorf("%d answers are labels, parents %v", labels, slices.Sorted(maps.Keys(parents)))
	}
	for _, reason := range []Reason{Ruled, Short, Similar, Unfinished} {
		if p.Rejected[reason] == 0 {
			t.Errorf("none was rejected as %s: %v", reason, p.Rejected)
		}
	}
	rejected := strings.Count(read(t, fsys, "synth/"+RejectedFile), "\n")
	if p.Candidates() != rejected+25 {
		t.Errorf("%d candidates, %d rejected", p.Candidates(), rejected)
	}
}

// TestKilledAnywhere: wherever the process dies, it goes on to the same records, and what was
// answered is not asked for again.
func TestKilledAnywhere(t *testing.T) {
	for _, method := range []Method{SelfInstruct{100}, Evolve{100}, Textbook{100}, Magpie{"<user>", 100}} {
		cfg := config("synth", 9)
		cfg.Method = method
		whole := vfstest.NewMem()
		trace := vfstest.NewFault(whole)
		if _, err := Run(context.Background(), trace, cfg, seeds(), &scribe{}, nil); err != nil {
			t.Fatalf("%s: %v", method.Name(), err)
		}
		want, rejected := read(t, whole, "synth/"+RecordsFile), read(t, whole, "synth/"+RejectedFile)
		for n := range trace.Trace() {
			disk, killed := vfstest.NewMem(), n%2 == 0
			fault := vfstest.NewFault(disk)
			fault.CrashAt(n)
			asked := map[string]int{}
			if _, err := Run(context.Background(), fault, cfg, seeds(), &scribe{asked: asked}, nil); err == nil {
				continue // the operation was the closing of a file
			}
			if !killed {
				disk = disk.PowerLoss(nil)
			}
			if _, err := Run(context.Background(), disk, cfg, seeds(), &scribe{asked: asked, backwards: true}, nil); err != nil {
				t.Fatalf("%s, operation %d: %v", method.Name(), n, err)
			}
			if read(t, disk, "synth/"+RecordsFile) != want || read(t, disk, "synth/"+RejectedFile) != rejected {
				t.Errorf("%s: killed at operation %d it goes on to other records", method.Name(), n)
			}
			if killed {
				twice := 0
				for _, k := range asked {
					twice += max(0, k-1)
				}
				if twice > 1 { // the one whose answer was being written
					t.Errorf("%s: killed at operation %d it asks %d prompts again", method.Name(), n, twice)
				}
			}
		}
	}
}

func TestMoreLater(t *testing.T) {
	disk := vfstest.NewMem()
	for _, count := range []int{5, 12} {
		p, err := Run(context.Background(), disk, config("synth", count), seeds(), &scribe{}, nil)
		if err != nil || p.Kept != count || len(records(t, disk, "synth")) != count {
			t.Fatalf("%d kept, %v", p.Kept, err)
		}
	}
	other := config("synth", 12)
	other.Seed, other.Filter.Rouge = 8, 0.5
	if _, err := Run(context.Background(), disk, other, seeds(), &scribe{}, nil); err == nil || !strings.Contains(err.Error(), "seed 7, not 8; filter") {
		t.Errorf("other settings: %v", err)
	}
}

func TestFilters(t *testing.T) {
	held := filepath.Join(t.TempDir(), "test.jsonl")
	if err := os.WriteFile(held, []byte(`{"q":{"text":["What is the sum of all the numbers from one to one hundred, both included?"]}}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	least := 0.5
	for _, c := range []struct {
		reason   Reason
		question string
		answer   Answer
		change   func(*Config)
	}{
		{Contaminated, "Please tell: what is the sum of all the numbers from one to one hundred, both included?", Answer{"5050", true, ""}, nil},
		{Contaminated, "Write a question about sums.", Answer{"What is the sum of all the numbers from one to one hundred both included", true, ""}, nil},
		{Similar, "Name the three colours of light.", Answer{"red", true, ""}, nil},
		{Ruled, "Explain the picture above in words.", Answer{"A cat.", true, ""}, nil},
		{Ruled, "- Explain light in two words.", Answer{"It shines.", true, ""}, nil},
		{Ruled, "Explain what gotrain is for.", Answer{"For a SECRET purpose.", true, ""}, func(c *Config) { c.Filter.Never = []string{"SECRET"} }},
		{Short, "Explain light.", Answer{"It shines.", true, ""}, nil},
		{Long, strings.Repeat("very ", 200) + "long", Answer{"Yes.", true, ""}, nil},
		{Refused, "Explain how a lens works.", Answer{"I'm sorry, but I can't.", true, ""}, nil},
		{Empty, "Explain how a lens works.", Answer{" \n", true, ""}, nil},
		{Unfinished, "Explain how a lens works.", Answer{"A lens is", false, ""}, nil},
		{Malformed, "Explain how a lens works.", Answer{"Explain how a lens works", true, ""}, nil},
		{Malformed, "Explain how a lens works.", Answer{Fault: "the server's answer is no JSON"}, nil},
		{Language, "Erkläre mir bitte, wie eine Linse das Licht bricht und warum.", Answer{"Die Linse bricht das Licht, weil es in Glas langsamer ist als in der Luft, und zwar je nach Farbe anders.", true, ""}, func(c *Config) { c.Filter.Language = "en" }},
		{Unrewarded, "Explain how a lens works.", Answer{"It bends light.", true, ""}, func(c *Config) {
			c.Filter.MinReward, c.Reward = &least, func(context.Context, *Record) (float64, error) { return 0.25, nil }
		}},
	} {
		disk := vfstest.NewMem()
		cfg := config("synth", 1)
		cfg.Method, cfg.Round, cfg.Patience, cfg.Filter.Held = Magpie{"<user>", 50}, 1, 1, []string{held}
		if c.change != nil {
			c.change(&cfg)
		}
		p, err := Run(context.Background(), disk, cfg, seeds(), &scribe{reply: func(p Prompt) *Answer {
			if p.Form == Rendered {
				return &Answer{Text: c.question, Ended: true}
			}
			return &c.answer
		}}, nil)
		if !errors.Is(err, ErrStuck) || p.Rejected[c.reason] != 1 {
			t.Errorf("%s: %q, %q: %v, %v", c.reason, c.question, c.answer.Text, p.Rejected, err)
		}
	}
}

// TestDuplicates: of records that are the same, or nearly, one is kept.
func TestDuplicates(t *testing.T) {
	for reason, change := range map[Reason]string{Duplicate: " ", NearCopy: " more."} {
		cfg := config("synth", 3)
		cfg.Method, cfg.Round, cfg.Patience = Textbook{50}, 2, 2
		cfg.Filter.Rouge = 0
		text := strings.Repeat("Light is bent where it enters glass, and each colour by another angle. A prism parts them. ", 4) + "So Newton saw."
		n := 0
		p, err := Run(context.Background(), vfstest.NewMem(), cfg, seeds(), &scribe{reply: func(Prompt) *Answer {
			n++
			return &Answer{Text: text + strings.Repeat(change, n), Ended: true}
		}}, nil)
		if !errors.Is(err, ErrStuck) || p.Kept != 1 || p.Rejected[reason] < 3 {
			t.Errorf("%s: %d kept, %v, %v", reason, p.Kept, p.Rejected, err)
		}
	}
}

func TestWrongUse(t *testing.T) {
	for want, change := range map[string]func(*Config, *[]Task){
		"begins with seeds": func(c *Config, s *[]Task) { *s = nil },
		"use 1 or more":     func(c *Config, s *[]Task) { c.Round = 0 },
		"needs a reward":    func(c *Config, s *[]Task) { x := 1.0; c.Filter.MinReward = &x },
		"in [0, 1]":         func(c *Config, s *[]Task) { c.Filter.Rouge = 2 },
		"is not known":      func(c *Config, s *[]Task) { c.Filter.Language = "klingon" },
		"missing closing":   func(c *Config, s *[]Task) { c.Filter.Never = []string{"("} },
		"no such file":      func(c *Config, s *[]Task) { c.Filter.Held = []string{"nowhere.jsonl"} },
	} {
		cfg, s := config("synth", 1), seeds()
		change(&cfg, &s)
		if _, err := Run(context.Background(), vfstest.NewMem(), cfg, s, &scribe{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	broken := errors.New("the server refuses")
	if _, err := Run(context.Background(), vfstest.NewMem(), config("synth", 1), seeds(), &scribe{fail: broken}, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := Open("nothing", 1, ""); err == nil || !strings.Contains(err.Error(), "self-instruct, evol-instruct") {
		t.Errorf("%v", err)
	}
}

func TestReadSeeds(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"seeds.jsonl": `{"id":"seed_task_1","instruction":"Name it.","instances":[{"input":"a","output":"b"}],"is_classification":true}
{"instruction":"Say it.","output":"It."}
{"messages":[{"role":"user","content":"Hi?"},{"role":"assistant","content":"Yes."}]}
{"topic":"prisms"}
`,
		"topics.txt": "lenses\n\nmirrors\n",
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		paths = append(paths, filepath.Join(dir, name))
		if err := os.WriteFile(paths[len(paths)-1], []byte(files[name]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := ReadSeeds(paths)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range tasks {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%t", filepath.Base(s.ID), s.Instruction, s.Input, s.Output, s.Class != nil && *s.Class))
	}
	want := []string{"seed_task_1|Name it.|a|b|true", "seeds.jsonl:2|Say it.||It.|false", "seeds.jsonl:3|Hi?||Yes.|false", "seeds.jsonl:4|prisms|||false", "topics.txt:1|lenses|||false", "topics.txt:2|mirrors|||false"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestUserPrefix(t *testing.T) {
	template, err := chat.Named("chatml")
	if err != nil {
		t.Fatal(err)
	}
	if prefix, err := UserPrefix(template, chat.Vars{}); err != nil || !regexp.MustCompile(`<\|im_start\|>user\n$`).MatchString(prefix) {
		t.Errorf("%q, %v", prefix, err)
	}
}
