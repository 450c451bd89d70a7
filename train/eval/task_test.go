package eval

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// open writes a task with its files and opens it.
func open(t *testing.T, yaml string, files map[string]string) *Task {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	c, err := Load(write(t, dir, "task.yaml", yaml))
	if err != nil {
		t.Fatal(err)
	}
	task, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// oracle gives fixed likelihoods and texts.
type oracle struct {
	likely map[string]float64
	text   string
	asked  []string
	// overflow is how many tokens of every prompt do not fit.
	overflow int
}

func (o *oracle) Score(_ context.Context, queries []Query, each func(int, []Completion) error) error {
	for i, q := range queries {
		var scores []Completion
		for _, c := range q.Completions {
			o.asked = append(o.asked, q.Prompt+"|"+c)
			scores = append(scores, Completion{o.likely[c], q.Greedy && o.likely[c] > -1, o.overflow})
		}
		if err := each(i, scores); err != nil {
			return err
		}
	}
	return nil
}

func (o *oracle) Generate(_ context.Context, prompt string, stops []string, maxTokens int) (string, int, error) {
	o.asked = append(o.asked, prompt)
	return o.text, o.overflow, nil
}

// right tells whether a result has the metric.
func right(r Result, metric string) bool { return r.Value(metric) == 1 }

const mmluTest = `{"question":"2+2?","choices":["3","4"],"answer":1,"subject":"elementary_mathematics"}
{"question":"Capital of France?","choices":["Paris","Rome"],"answer":"A","subject":"geography"}
`

const mmluDev = `{"question":"1+1?","choices":["2","5"],"answer":0,"subject":"elementary_mathematics"}
{"question":"Capital of Italy?","choices":["Oslo","Rome"],"answer":1,"subject":"geography"}
`

func TestMMLUPrompt(t *testing.T) {
	task := open(t, "format: mmlu\ndata: test.jsonl\nshots_data: dev.jsonl\nshots: 1\n", map[string]string{"test.jsonl": mmluTest, "dev.jsonl": mmluDev})
	got, err := task.Prompt(0)
	if err != nil {
		t.Fatal(err)
	}
	want := `The following are multiple choice questions (with answers) about elementary mathematics.

1+1?
A. 2
B. 5
Answer: A

2+2?
A. 3
B. 4
Answer:`
	if got != want {
		t.Errorf("the prompt is\n%s\nwant\n%s", got, want)
	}
}

func TestChoice(t *testing.T) {
	task := open(t, "format: mmlu\ndata: test.jsonl\n", map[string]string{"test.jsonl": mmluTest})
	model := &oracle{likely: map[string]float64{" A": -2, " B": -1}}
	var results []Result
	for i := range task.Len() {
		r, err := task.Ask(t.Context(), model, i)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	if !right(results[0], "acc") || right(results[1], "acc") || results[0].Answer != "4" || results[1].Expected != "Paris" {
		t.Errorf("got %+v", results)
	}
	scores := Summarize(results)
	if len(scores) != 3 || scores[0].Value("acc") != 0.5 || scores[0].Metrics[0].StdErr != 0.5 || len(scores[0].Metrics) != 1 || scores[1].Group != "elementary_mathematics" || scores[1].Value("acc") != 1 {
		t.Errorf("got %+v", scores)
	}
}

// TestTextChoices normalises by length: " no" is likelier as a whole, " certainly"
// by the character.
func TestTextChoices(t *testing.T) {
	task := open(t, "kind: choice\ndata: q.json\nprompt: 'Q: {{.q}} A:'\ntarget: '{{.a}}'\nchoices: c\nscore: text\nanswer: a\n",
		map[string]string{"q.json": `[{"q":"Is it?","c":["no","certainly"],"a":"certainly"}]`})
	r, err := task.Ask(t.Context(), &oracle{likely: map[string]float64{" no": -3, " certainly": -4}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if right(r, "acc") || !right(r, "acc_norm") || r.Answer != "no" {
		t.Errorf("got %+v", r)
	}
}

// TestGSM8K: the first #### counts for one filter, the last number for the other.
func TestGSM8K(t *testing.T) {
	task := open(t, "format: gsm8k\ndata: test.jsonl\n", map[string]string{"test.jsonl": `{"question":"How many?","answer":"It is 2·600.\n#### 1,200"}` + "\n"})
	for text, want := range map[string][2]bool{
		" Two by 600. #### 1200.\n\nQuestion: next #### 7": {true, true},
		" #### 5 no, #### $1,200":                          {false, true},
		" #### 1200, no, 5":                                {true, false},
		" #### 1200</s> 7":                                 {true, true},
		" 1200":                                            {false, true},
		" #### 120":                                        {false, false},
		"":                                                 {false, false},
	} {
		model := &oracle{text: text}
		r, err := task.Ask(t.Context(), model, 0)
		if err != nil {
			t.Fatal(err)
		}
		if right(r, "exact_match,strict-match") != want[0] || right(r, "exact_match,flexible-extract") != want[1] || model.asked[0] != "Question: How many?\nAnswer:" {
			t.Errorf("%q: got %+v", text, r)
		}
	}
}

func TestCSV(t *testing.T) {
	records, err := readRecords(strings.NewReader("\"What, now?\",yes,no,maybe,C\n"), "dir/high_school_physics_test.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := records[0]
	choices, err := r.choices("choices")
	if err != nil {
		t.Fatal(err)
	}
	if i, err := r.correct("answer", choices); err != nil || i != 2 || r.Keys["subject"] != "high_school_physics" {
		t.Errorf("got %d, %v of %+v", i, err, r)
	}
}

// TestErrors wants the place and the cure.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct{ yaml, data, want string }{
		"format":   {"format: squad\ndata: q.jsonl\n", "{}", `format is "squad"; use truthfulqa, hellaswag, arc, bigbench, mmlu, gsm8k or lambada, or leave it out`},
		"kind":     {"data: q.jsonl\nprompt: x\ntarget: y\nanswer: a\n", "{}", `kind is ""; use choice, generate or complete`},
		"shots":    {"format: gsm8k\ndata: q.jsonl\nshots: 2\n", "{}", "shots_data is missing"},
		"pattern":  {"format: gsm8k\ndata: q.jsonl\npattern: '[0-9]+'\n", "{}", "has no group"},
		"filter":   {"format: gsm8k\ndata: q.jsonl\nfilters: [strict]\n", "{}", `there is no "strict"; use strict-match or flexible-extract`},
		"both":     {"format: gsm8k\ndata: q.jsonl\nfilters: [strict-match]\npattern: '(a)'\n", "{}", "do not go with filters"},
		"no text":  {"format: mmlu\ndata: q.jsonl\nfilters: [strict-match]\n", "{}", "are for generated answers: kind is choice"},
		"match":    {"format: gsm8k\ndata: q.jsonl\npattern: '(a)'\nmatch: second\n", "{}", `match is "second"; use first or last`},
		"ignore":   {"format: gsm8k\ndata: q.jsonl\nignore: ['(']\n", "{}", "ignore: error parsing regexp"},
		"template": {"format: gsm8k\ndata: q.jsonl\nprompt: '{{.question'\n", "{}", "unclosed action"},
		"data":     {"format: gsm8k\n", "", "data is missing"},
		"line":     {"format: gsm8k\ndata: q.jsonl\n", "{\"question\":\"a\",\"answer\":\"b\"}\n[1]\n", "q.jsonl:2: not a JSON object"},
		"key":      {"format: gsm8k\ndata: q.jsonl\n", "{\"answer\":\"b\"}\n", `no entry for key "question"`},
		"answer":   {"format: mmlu\ndata: q.jsonl\n", `{"question":"a","choices":["x","y"],"answer":2,"subject":"s"}`, "which is no choice"},
		"empty":    {"format: mmlu\ndata: q.jsonl\n", "\n", "holds no questions"},
		"unknown":  {"format: mmlu\ndata: q.jsonl\nshot: 3\n", "", "shot"},
	} {
		dir := t.TempDir()
		write(t, dir, "q.jsonl", c.data)
		config, err := Load(write(t, dir, "task.yaml", c.yaml))
		var task *Task
		if err == nil {
			task, err = Open(config)
		}
		for i := 0; err == nil && i < task.Len(); i++ {
			_, err = task.Ask(t.Context(), &oracle{}, i)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzReadRecords(f *testing.F) {
	f.Add(mmluTest, ".jsonl")
	f.Add(`[{"q":"Is it?","c":["no"]}]`, ".json")
	f.Add("\"What, now?\",yes,no,maybe,C\n", ".csv")
	f.Add("null\n{\n", ".jsonl")
	files, err := filepath.Glob("testdata/*.json*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 4096 {
			f.Add(string(text), filepath.Ext(file))
		}
	}
	f.Fuzz(func(t *testing.T, text, extension string) {
		records, err := readRecords(strings.NewReader(text), "q"+extension)
		if err != nil {
			return
		}
		c, format, err := Config{}.settled(records[0])
		if err != nil || c.validate() != nil {
			return
		}
		task := &Task{Config: c}
		if task.extractor, err = newExtractor(c); err != nil {
			t.Fatal(err)
		}
		if task.questions, err = task.prepare(records, format); err == nil {
			_, _ = task.AskAll(t.Context(), &oracle{}, nil)
			Summarize(nil)
		}
	})
}

// TestOverFormats: what a task file sets goes over its format.
func TestOverFormats(t *testing.T) {
	line := `{"question":"a","answer":"#### 1"}` + "\n"
	task := open(t, "format: gsm8k\ndata: q.jsonl\nshots_data: q.jsonl\nshots: 1\nlimit: 2\nmax_tokens: 7\nstops: ['\\n']\nignore_case: true\n", map[string]string{"q.jsonl": strings.Repeat(line, 3)})
	if task.Len() != 2 || task.Shots != 1 || task.MaxTokens != 7 || strings.Join(task.stops(), "|") != "Question:|\\n" || len(task.Ignore) != 4 {
		t.Errorf("%+v", task.Config)
	}
	task = open(t, "format: gsm8k\ndata: q.jsonl\npattern: '(a)'\n", map[string]string{"q.jsonl": line})
	if len(task.Filters) > 0 || len(task.Ignore) > 0 || task.MaxTokens != 256 {
		t.Errorf("%+v", task.Config)
	}
	task = open(t, "data: q.jsonl\nprompt: '{{.question}}'\ntarget: x\nkind: generate\nanswer: answer\nmax_tokens: 2\n", map[string]string{"q.jsonl": line})
	if task.Format != "" || task.Config.Prompt != "{{.question}}" {
		t.Errorf("%+v", task.Config)
	}
}

// TestFewShots compares every prompt of a task, whose examples stand in the file of its
// questions, with one that is written out: the first of the question's group without the
// question itself.
func TestFewShots(t *testing.T) {
	const all = `{"q": "été?", "c": ["né", "日本"], "a": "日本", "group": "x"}

{"q": "two?", "c": ["yes", "no"], "a": "b", "group": "x"}
{"q": "three?", "c": ["yes", "no"], "a": 0, "group": "y"}
{"q": "four?", "c": ["yes", "no"], "a": "yes", "group": "x"}
{"q": "five?", "c": ["yes", "no"], "a": "A", "group": "x"}
{"q": "six?", "c": ["yes", "no"], "a": 1, "group": "y"}
{"q": "seven?", "c": ["yes", "no"], "a": 1, "group": "y"}
`
	task := open(t, "kind: choice\ndata: q.jsonl\nshots_data: q.jsonl\nshots: 2\nlimit: 6\nintro: 'On {{.group}}.\n\n\n'\nprompt: '{{.q}}'\ntarget: ' {{.a}}'\nseparator: ' ¶ '\nchoices: c\nscore: text\nanswer: a\ngroup: group\n",
		map[string]string{"q.jsonl": all})
	if task.Len() != 6 {
		t.Errorf("%d questions, want 6", task.Len())
	}
	for i, want := range []string{
		"On x.\ntwo? b ¶ four? yes ¶ été?", "On x.\nété? 日本 ¶ four? yes ¶ two?", "On y.\nsix? 1 ¶ seven? 1 ¶ three?",
		"On x.\nété? 日本 ¶ two? b ¶ four?", "On x.\nété? 日本 ¶ two? b ¶ five?", "On y.\nthree? 0 ¶ seven? 1 ¶ six?",
	} {
		if got, err := task.Prompt(i); err != nil || strings.ReplaceAll(got, "\n\n", "\n") != want {
			t.Errorf("question %d sees %q, %v; want %q", i, got, err, want)
		}
	}
	model := &oracle{likely: map[string]float64{" né": -3.6, " 日本": -9, " yes": -1, " no": -1}}
	results, err := task.AskAll(t.Context(), model, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		line              string
		answer, expected  string
		right, normalized bool
	}{
		{":1", "né", "日本", false, false}, {":3", "yes", "no", false, false}, {":4", "yes", "yes", true, true}, // of equals the first; a character of "yes" costs less
		{":5", "yes", "yes", true, true}, {":6", "yes", "yes", true, true}, {":7", "yes", "no", false, false},
	} {
		r := results[i]
		if !strings.HasSuffix(r.Source, want.line) || r.Answer != want.answer || r.Expected != want.expected || right(r, "acc") != want.right || right(r, "acc_norm") != want.normalized {
			t.Errorf("question %d: %+v, want %+v", i, r, want)
		}
	}
	scores := Summarize(results)
	if len(scores) != 3 || scores[0].Questions != 6 || scores[1].Group != "x" || scores[1].Questions != 4 || scores[2].Questions != 2 ||
		scores[0].Value("acc") != 0.5 || scores[1].Value("acc") != 0.5 || scores[2].Value("acc") != 0.5 ||
		!near(scores[0].Metrics[0].StdErr, 0.2236068) || !near(scores[1].Metrics[0].StdErr, 0.2886751) || !near(scores[2].Metrics[0].StdErr, 0.5) {
		t.Errorf("%+v", scores)
	}
	task.Shots = 3
	if _, err := task.Prompt(2); err == nil || !strings.Contains(err.Error(), "has 2 examples for it, shots is 3") {
		t.Errorf("three examples of two: %v", err)
	}
}

// TestInterrupted: what was asked comes back in the order of the questions, whatever the order
// in which it was asked.
func TestInterrupted(t *testing.T) {
	real, err := subject()
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, q := range []string{"a longer one", "a", "the longest of", "ab"} { // shorter ones are asked first
		lines.WriteString(`{"question":"` + q + `","choices":["x","y"],"answer":0}` + "\n")
	}
	task := open(t, "kind: choice\ndata: q.jsonl\nprompt: '{{.question}}'\ntarget: A\nchoices: choices\nscore: text\nanswer: answer\n", map[string]string{"q.jsonl": lines.String()})
	model := NewLanguage(real, nil, 1)
	all, err := task.AskAll(t.Context(), model, nil)
	if err != nil || len(all) != 4 {
		t.Fatal(all, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done []int
	part, err := task.AskAll(ctx, model, func(p Progress) {
		done = append(done, p.Done)
		if p.Score().Questions != p.Done || p.Total != 4 {
			t.Errorf("%+v", p)
		}
		if p.Done == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(part) != 3 || len(done) != 3 {
		t.Fatalf("%d of 4 after %v, %v", len(part), done, err)
	}
	for i, of := range []int{0, 1, 3} { // the longest is left
		if !reflect.DeepEqual(part[i], all[of]) {
			t.Errorf("result %d is %+v, want %+v", i, part[i], all[of])
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

// TestLengths: likelihoods are compared as they are, by the character and by the byte of the
// choice, the space before it left out.
func TestLengths(t *testing.T) {
	for _, tc := range []struct {
		a, b                 string
		likelyA, likelyB     float64
		chat                 bool
		best, perChar, perBy string
		askedA, askedB       string
	}{
		{"né", "no", -3.1, -3, false, "no", "no", "né", " né", " no"},       // 3 and 2 bytes, both 2 characters
		{"a", "abc", -1, -2.9, false, "a", "abc", "abc", " a", " abc"},      // 1 and 3, not 2 and 4
		{"a", "abc", -1, -2.9, true, "a", "abc", "abc", "a", "abc"},         // a turn begins without a space
		{"日本", "yes!", -6, -5, false, "yes!", "yes!", "日本", " 日本", " yes!"}, // 2 and 4 characters, 6 and 4 bytes
	} {
		yaml := "kind: choice\ndata: q.jsonl\nprompt: Q\ntarget: A\nchoices: c\nscore: text\nanswer: a\n"
		if tc.chat {
			yaml += "chat: true\n"
		}
		task := open(t, yaml, map[string]string{"q.jsonl": `{"c": ["` + tc.a + `", "` + tc.b + `"], "a": 0}`})
		model := &oracle{likely: map[string]float64{tc.askedA: tc.likelyA, tc.askedB: tc.likelyB}}
		r, err := task.Ask(t.Context(), model, 0)
		if err != nil || r.Answer != tc.best || right(r, "acc") != (tc.best == tc.a) || right(r, "acc_norm") != (tc.perChar == tc.a) || right(r, "acc_bytes") != (tc.perBy == tc.a) ||
			strings.Join(model.asked, "") != "Q|"+tc.askedA+"Q|"+tc.askedB {
			t.Errorf("%q and %q: %+v of %q, %v", tc.a, tc.b, r, model.asked, err)
		}
	}
}

// TestOverflow: prompts that lost their beginning are told by each result and counted by the report.
func TestOverflow(t *testing.T) {
	for _, yaml := range []string{"format: mmlu\ndata: q.jsonl\n", "kind: generate\ndata: q.jsonl\nprompt: Q\ntarget: A\nanswer: subject\nmax_tokens: 3\npattern: (.)\n"} {
		task := open(t, yaml, map[string]string{"q.jsonl": mmluTest})
		for overflow, want := range map[int]string{0: "", 7: "2 of the prompts did not fit the model's context and lost their beginning, up to 7 tokens\n"} {
			results, err := task.AskAll(t.Context(), &oracle{overflow: overflow}, nil)
			if err != nil || len(results) != 2 || results[0].Overflow != overflow {
				t.Fatalf("%+v, %v", results, err)
			}
			var b strings.Builder
			if err := NewReport("m", task, results, 0).Print(&b); err != nil || !strings.Contains(b.String(), want) || overflow == 0 && strings.Contains(b.String(), "fit") {
				t.Errorf("%s, %v", b.String(), err)
			}
		}
	}
}

// TestGeneratedAnswers: what is found in a text and in the expected answer by a pattern.
func TestGeneratedAnswers(t *testing.T) {
	for _, match := range []string{"", "match: last\n", "match: first\n"} {
		task := open(t, "kind: generate\nprompt: '{{.question}}'\ntarget: x\nanswer: answer\npattern: '####\\s*(-?[0-9][0-9.,]*)'\nignore_text: ',$'\nstop: 'Question:'\ndata: q.jsonl\nmax_tokens: 7\nlimit: 2\n"+match, map[string]string{
			"q.jsonl": `{"question":"a","answer":"#### 1,200."}` + "\n" + `{"question":"b","answer":"no number"}` + "\n" + `{"question":"c","answer":"#### 1"}`,
		})
		if task.Len() != 2 || task.MaxTokens != 7 || task.Stop != "Question:" {
			t.Errorf("%+v", task.Config)
		}
		first := match == "match: first\n"
		for text, want := range map[string]struct {
			last, first string
			text        string
		}{
			" so #### 7, no #### 1200\n":  {"1200", "7", " so #### 7, no #### 1200\n"},
			" #### 1200 Question: #### 5": {"1200", "1200", " #### 1200 "},
			" #### 3":                     {"3", "3", " #### 3"},
			"1200":                        {"", "", "1200"},
		} {
			answer := want.last
			if first {
				answer = want.first
			}
			r, err := task.Ask(t.Context(), &oracle{text: text}, 0)
			if err != nil || right(r, "exact_match") != (answer == "1200") || len(r.Metrics) != 1 || r.Expected != "1200" || r.Answer != answer || r.Text != want.text {
				t.Errorf("%q, %s: %+v, %v; want %+v", text, match, r, err, want)
			}
		}
		// Nothing found is not right, even where nothing is expected.
		if r, err := task.Ask(t.Context(), &oracle{text: "no number"}, 1); err != nil || right(r, "exact_match") || r.Answer != "" || r.Expected != "" {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// TestSpacesOfAnswers: an answer that a pattern finds is compared without space around it, and
// one that begins a turn of a conversation is asked for without space before it.
func TestSpacesOfAnswers(t *testing.T) {
	task := open(t, "kind: generate\nprompt: '{{.question}}'\ntarget: x\nmax_tokens: 7\nanswer: answer\npattern: 'is([^.]*)'\ndata: q.jsonl\n", map[string]string{"q.jsonl": `{"question":"a","answer":"it is\t12 ."}` + "\n"})
	if r, err := task.Ask(t.Context(), &oracle{text: "it is 12\n."}, 0); err != nil || !right(r, "exact_match") || r.Answer != "12" || r.Expected != "12" {
		t.Errorf("%+v, %v", r, err)
	}
	for chat, want := range map[bool]string{false: "Q: a| \tb \n", true: "Q: a|b \n"} {
		task := open(t, "kind: complete\nprompt: 'Q: {{.question}}'\ntarget: \" \\t{{.answer}} \\n\"\ndata: q.jsonl\n", map[string]string{"q.jsonl": `{"question":"a","answer":"b"}` + "\n"})
		task.Chat = chat
		model := &oracle{}
		if _, err := task.Ask(t.Context(), model, 0); err != nil || len(model.asked) != 1 || model.asked[0] != want {
			t.Errorf("chat %t: %q, %v; want %q", chat, model.asked, err, want)
		}
	}
}
