package eval

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestFormats: files in the published layouts, told by their keys, as the model sees them.
func TestFormats(t *testing.T) {
	for _, tc := range []struct {
		name, file, format string
		prompt             string   // of the last question
		completions        []string // of it
		expected           string
		unread             []string
	}{
		{"arc", "arc.jsonl", "arc", "Question: Which of these melts at room temperature?\nAnswer:", []string{" iron", " ice", " stone"}, "ice", []string{"note"}},
		{"arc of AI2", "arc-ai2.jsonl", "arc", "Question: What pulls a stone down?\nAnswer:", []string{" light", " sound", " gravity", " heat"}, "gravity", nil},
		{"hellaswag", "hellaswag.jsonl", "hellaswag", "Tying laces: How to tie a lace. Cross the ends. Then you",
			[]string{" pull both. Done.", " eat it.", " sing [", " go. Rest."}, "pull both. Done.", nil},
		{"lambada", "lambada.jsonl", "lambada", "She looked at the sea and saw a", []string{" ship"}, " ship", nil},
		{"truthfulqa", "truthfulqa.jsonl", "truthfulqa", truthfulPrompt + "Q: Can pigs fly?\nA:",
			[]string{" No, pigs cannot fly.", " Yes.", " Only at night.", " They have no wings."}, "No, pigs cannot fly.", nil},
		{"bigbench choices", "bigbench-choice.json", "bigbench", "Say what it is.\n\nQ: An oak is a\n  choice: bird\n  choice: tree\n  choice: verb\nA: ", []string{"bird", "tree", "verb"}, "tree", nil},
		{"bigbench rows", "bigbench.jsonl", "bigbench", "Q: Is snow white?\nA:", []string{" yes", " no"}, "yes", nil},
		{"mmlu", "mmlu.jsonl", "mmlu", "The following are multiple choice questions (with answers) about small sums.\n\n1+1?\nA. 2\nB. 3\nAnswer:", []string{" A", " B"}, "2", []string{"author"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Load(filepath.Join("testdata", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			task, err := Open(c)
			if err != nil {
				t.Fatal(err)
			}
			last := task.Len() - 1
			query, err := task.query(last)
			if err != nil {
				t.Fatal(err)
			}
			if task.Format != tc.format || query.Prompt != tc.prompt || !slices.Equal(query.Completions, tc.completions) || !slices.Equal(task.Unread, tc.unread) {
				t.Errorf("%s asks %q with %q, unread %q", task.Format, query.Prompt, query.Completions, task.Unread)
			}
			r, err := task.Ask(t.Context(), &oracle{}, last)
			if err != nil || r.Expected != tc.expected {
				t.Errorf("expected is %q, %v", r.Expected, err)
			}
		})
	}
}

// TestPublishedScores: what each format counts, from chosen likelihoods.
func TestPublishedScores(t *testing.T) {
	for _, tc := range []struct {
		file   string
		likely map[string]float64
		want   map[string]float64
	}{
		{"truthfulqa.jsonl", map[string]float64{" No, pigs cannot fly.": -1, " Yes.": -2, " Only at night.": -3, " They have no wings.": -2}, // 1/(1+e⁻¹+e⁻²+e⁻¹)·(1+e⁻¹)
			map[string]float64{"mc1": 1, "mc2": 0.7310586}},
		{"truthfulqa.jsonl", map[string]float64{" No, pigs cannot fly.": -3, " Yes.": -2, " Only at night.": -4, " They have no wings.": -1}, // not a choice of mc1
			map[string]float64{"mc1": 0, "mc2": 0.7310586}},
		{"bigbench-choice.json", map[string]float64{"bird": -1, "tree": -2, "verb": -3}, map[string]float64{"multiple_choice_grade": 0.25}},
		{"bigbench.jsonl", map[string]float64{" yes": -1, " no": -2}, map[string]float64{"multiple_choice_grade": 1}},
		{"lambada.jsonl", map[string]float64{" ship": -0.5}, map[string]float64{"acc": 1, "log_likelihood": -0.5}},
		{"lambada.jsonl", map[string]float64{" ship": -2}, map[string]float64{"acc": 0, "log_likelihood": -2}},
	} {
		task, err := Open(Config{Data: filepath.Join("testdata", tc.file)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := task.Ask(t.Context(), &oracle{likely: tc.likely}, task.Len()-1)
		if err != nil || len(r.Metrics) != len(tc.want) {
			t.Errorf("%s: %+v, %v", tc.file, r, err)
		}
		for _, m := range r.Metrics {
			if !near(m.Value, tc.want[m.Name]) {
				t.Errorf("%s: %s is %g, want %g", tc.file, m.Name, m.Value, tc.want[m.Name])
			}
		}
	}
	s := score("", []Result{{Metrics: []Metric{{Name: logLikelihood, Value: -1}}}, {Metrics: []Metric{{Name: logLikelihood, Value: -3}}}})
	if !near(s.Value("perplexity"), 7.3890561) || !near(s.Metrics[0].StdErr, 7.3890561) { // e², and e² times the deviation √2 by √2
		t.Errorf("perplexity %+v", s)
	}
}

// TestBigBenchWritten: several targets, of which any is right, and few-shot examples.
func TestBigBenchWritten(t *testing.T) {
	file := filepath.Join("testdata", "bigbench-write.json")
	task, err := Open(Config{Data: file, ShotsData: file, Shots: 1})
	if err != nil {
		t.Fatal(err)
	}
	if task.Kind != Generate || task.Stop != ";" {
		t.Errorf("%+v", task.Config)
	}
	prompt, err := task.Prompt(0)
	if want := "Translate.\nIn: two = deux\nIn: one = "; err != nil || prompt != want {
		t.Errorf("the prompt is %q, %v; want %q", prompt, err, want)
	}
	for text, want := range map[string]bool{"un": true, " une.; x": true, "Un": false, "deux": false} {
		r, err := task.Ask(t.Context(), &oracle{text: text}, 0)
		if err != nil || right(r, "exact_match") != want || r.Expected != "un" {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
	if _, err := ReadRecords(file); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(task.questions[1].Source, "bigbench-write.json:7") {
		t.Errorf("the second example stands at %s", task.questions[1].Source)
	}
}

// TestBadRecords: one error, with the file, the line and what is wrong.
func TestBadRecords(t *testing.T) {
	arc := `{"question":"q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"A"}` + "\n"
	for _, tc := range []struct{ name, text, want string }{
		{"a.jsonl", `{"prompt":"x"}`, `a.jsonl:1: the keys prompt are those of no format: truthfulqa (question, mc1_targets), hellaswag (ctx_a, endings), arc`},
		{"a.jsonl", arc + strings.Replace(arc, `"A"}`, `"E"}`, 1), `a.jsonl:2: answerKey is "E"; the labels are A, B`},
		{"a.jsonl", strings.Replace(arc, `,"label":["A","B"]`, "", 1), `a.jsonl:1: choices: "label" is not a list`},
		{"a.jsonl", strings.Replace(arc, `["A","B"]`, `["A"]`, 1), `a.jsonl:1: choices: 2 texts have 1 labels`},
		{"a.jsonl", strings.Replace(arc, `"q"`, `7`, 1) + strings.Replace(arc, `"q"`, `null`, 1), `a.jsonl:2: there is no key "question"`},
		{"h.jsonl", `{"activity_label":"x","ctx_a":"a","ctx_b":"b","endings":["a","b"],"label":""}`, `label is ""; it is the index of one of 2 endings (the test set has none`},
		{"h.jsonl", `{"activity_label":"x","ctx_a":"a","endings":["a","b"],"label":2}`, `label is "2"`},
		{"l.jsonl", `{"text":"word"}`, `"text" has no last word`},
		{"l.jsonl", `{"text":"word "}`, `"text" has no last word`},
		{"t.jsonl", `{"question":"q","mc1_targets":{"choices":["a","b"],"labels":[0,0]}}`, `mc1_targets: no choice is right`},
		{"t.jsonl", `{"question":"q","mc1_targets":{"choices":["a","b"],"labels":[1]}}`, `mc1_targets: 2 choices have 1 labels`},
		{"t.jsonl", `{"question":"q","mc1_targets":{"a":1}}`, `mc1_targets: 1 choices; a question has 2 to 1000`},
		{"b.json", `{"name": "x", "examples": [{"input": "a", "target": "b"},` + "\n" + `{"input": "c"}]}`, `b.json:2: nothing is right`},
		{"b.json", `{"examples": [{"input": "a", "target_scores": {"b": "1", "c": 0}}]}`, `b.json:1: target_scores: 1 is not a number`},
		{"b.json", `{"examples": [{"input": "a", "target": "b"}`, `b.json:1: the list does not end`},
		{"b.json", "[{\"input\": \"a\", \"target\": \"b\"},\n\n{\"input\" \"a\"}]", `b.json:3: the list of objects is broken here`},
		{"b.json", `[{"input": "a", "target": "b"}] 7`, `something stands behind the end`},
		{"m.jsonl", `{"question":"q","choices":["a","b"],"answer":0.5}`, `"answer" is 0.5, which is no choice`},
	} {
		_, err := Open(Config{Data: write(t, t.TempDir(), tc.name, tc.text)})
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// TestOwnKeys: a label tells a choice wherever it stands, and a key of an example goes over that
// of its task.
func TestOwnKeys(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a.jsonl", `{"question":"q","choices":{"text":["a","b"],"label":["B","A"]},"answerKey":"A"}`, "b"},
		{"a.jsonl", `{"question":"q","choices":{"text":["a","b"],"label":["1","2"]},"answerKey":"B"}`, "b"},
		{"a.jsonl", `{"question":"q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"2"}`, "b"},
		{"b.json", `{"target": "a", "examples": [{"input": "i", "target": "b"}]}`, "b"},
	} {
		task, err := Open(Config{Data: write(t, t.TempDir(), tc.name, tc.text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := task.questions[0].Keys["target"]; got != tc.want {
			t.Errorf("%s: %v is right", tc.text, got)
		}
	}
}

// TestFiles: each extension and each layout of JSON.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lines.jsonl": "{\"text\":\"a b\"}\n\n{\"text\":\"c d\"}\n", "lines.json": "{\"text\":\"a b\"}\n{\"text\":\"c d\"}", "list.json": "[{\"text\":\"a b\"},\n{\"text\":\"c d\"}]",
	} {
		records, err := ReadRecords(write(t, dir, name, text))
		if err != nil || len(records) != 2 || records[1].Keys["text"] != "c d" {
			t.Errorf("%s: %+v, %v", name, records, err)
		}
	}
	type choices struct {
		Text  []string `parquet:"text,list"`
		Label []string `parquet:"label,list"`
	}
	type row struct {
		Question string  `parquet:"question"`
		Choices  choices `parquet:"choices"`
		Key      string  `parquet:"answerKey"`
	}
	rows := []row{{"q", choices{[]string{"a", "b", "c"}, []string{"A", "B", "C"}}, "C"}, {"r", choices{[]string{"a", "b"}, []string{"1", "2"}}, "3"}}
	file := filepath.Join(dir, "arc.parquet")
	for n, want := range []string{"", "", "arc.parquet: row 2: answerKey is \"3\"; the labels are 1, 2"} {
		if n == 0 {
			continue
		}
		if err := parquet.WriteFile(file, rows[:n]); err != nil {
			t.Fatal(err)
		}
		task, err := Open(Config{Data: file})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d rows: %v, want %q", n, err, want)
		}
		if err == nil && (task.Format != "arc" || task.questions[0].choices[2] != "c" || task.questions[0].sets[0].worth[2] != 1) {
			t.Errorf("%+v", task.questions)
		}
	}
	if _, err := ReadRecords(filepath.Join(dir, "none.parquet")); !os.IsNotExist(err) && (err == nil || !strings.Contains(err.Error(), "no such file")) {
		t.Errorf("no file: %v", err)
	}
}
