package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
)

// Commands of documents that are not run, each with its reason. Of launchers and of
// scripts that start gotrain, the command of gotrain is run by itself.
var notRun = map[string]string{
	"make":                    "builds and tests; TestMakeTargets has looked for the target",
	"tar":                     "unpacks what scripts/gpu-check build has packed",
	"gpu-check/gpu-check":     "is unpacked on a machine with a GPU",
	"scripts/cuda/mutants.sh": "builds for CUDA and its simulator with each of the faults",
	"scripts/cuda/real.sh":    "fetches NVIDIA's libraries",
	"kubectl":                 "needs a cluster; the file has to be there",
	".":                       "sets variables of a shell; the file has to be there",
	"scripts/gpu-check":       "needs a build for CUDA",
	"scripts/lines.sh":        "reads all of the repository",
	"scripts/bench/":          "measures for minutes",
	"scripts/parity/":         "needs Python with PyTorch",
	"scripts/cluster/":        "needs root, or Gloo",
	"bin/gotrain-cuda doctor": "looks for a GPU; TestCUDADoctor runs it on the simulator",
}

// startsGotrain are commands that start gotrain with what is behind them, after "--" or
// the name of the binary where they name it.
var startsGotrain = []string{"torchrun", "sbatch", "scripts/cluster/mpirun.sh", "scripts/cluster/torchrun.sh"}

// base are the documents whose models the commands of others use.
var base = []string{"README.md", "train/README.md"}

// TestDocumentedCommands runs the commands that the documents print in sh blocks, in
// order, with models, data and steps made small. A file, key, flag or command that is
// not there fails it.
func TestDocumentedCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var documents []document
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".venv", "build", "runs", "bin"}, d.Name()):
			return fs.SkipDir
		case strings.HasSuffix(file, ".md"):
			name, _ := filepath.Rel(root, file)
			content, err := os.ReadFile(file)
			documents = append(documents, document{filepath.ToSlash(name), string(content)})
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(documents, func(a, b document) int { // those of base before the others
		order := func(d document) int { return (slices.Index(base, d.name) + len(base) + 1) % (len(base) + 1) }
		return cmp.Or(order(a)-order(b), strings.Compare(a.name, b.name))
	})
	w := newWorkspace(t, root)
	ran := 0
	for _, d := range documents {
		for _, c := range d.commands(t) {
			if w.do(t, c) {
				ran++
			}
		}
		for _, c := range d.mentioned(t) {
			checkUse(t, c)
		}
	}
	if ran < 30 {
		t.Errorf("only %d commands were found and run", ran)
	}
}

// document is a Markdown file.
type document struct{ name, content string }

// command is one command of a document.
type command struct {
	where string // document and line
	words []string
	in    string // what a pipe gives it; "<FILE" for a file
	out   string // the file that takes its output
}

func (c command) String() string { return c.where + ": " + strings.Join(c.words, " ") }

// lines calls f with the number, from 1, and text of each line, and the language of the
// block that it is in, "" outside of blocks.
func (d document) lines(f func(number int, text, language string)) {
	inside, language := false, ""
	for i, text := range strings.Split(d.content, "\n") {
		if rest, fence := strings.CutPrefix(text, "```"); fence {
			inside, language = !inside, rest
			continue
		}
		if inside {
			f(i+1, text, language+" block")
		} else {
			f(i+1, text, "")
		}
	}
}

// commands returns those of the sh blocks.
func (d document) commands(t *testing.T) []command {
	var all []command
	d.lines(func(number int, text, language string) {
		if language == "sh block" {
			all = append(all, parseLine(t, fmt.Sprintf("%s:%d", d.name, number), text)...)
		}
	})
	return all
}

// mentioned returns the commands of gotrain in the prose: code that begins with its name
// and a subcommand.
func (d document) mentioned(t *testing.T) []command {
	var all []command
	d.lines(func(number int, text, language string) {
		if language != "" {
			return
		}
		for i, span := range strings.Split(text, "`") {
			if i%2 == 1 && strings.HasPrefix(span, "gotrain ") && !strings.ContainsAny(span, "…") {
				all = append(all, parseLine(t, fmt.Sprintf("%s:%d", d.name, number), span)...)
			}
		}
	})
	return all
}

// parseLine splits a line of a shell: words, quotes, comments, pipes, redirections, && and
// ;. Variables before a command and $NAME are left as they are.
func parseLine(t *testing.T, where, text string) []command {
	t.Helper()
	var all []command
	c := command{where: where}
	word, inWord, target := "", false, ""
	endWord := func() {
		switch {
		case !inWord:
			return
		case target == "<":
			c.in = "<" + word
		case target == ">":
			c.out = word
		default:
			c.words = append(c.words, word)
		}
		word, inWord, target = "", false, ""
	}
	endCommand := func() {
		endWord()
		for len(c.words) > 0 && isAssignment(c.words[0]) {
			c.words = c.words[1:]
		}
		if len(c.words) > 0 {
			all = append(all, c)
		}
		c = command{where: where}
	}
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '\'' || b == '"':
			end := strings.IndexByte(text[i+1:], b)
			if end < 0 {
				t.Fatalf("%s: a quote has no end: %s", where, text)
			}
			word, inWord = word+text[i+1:i+1+end], true
			i += end + 1
		case b == '\\':
			t.Fatalf("%s: write the command in one line without \\", where)
		case b == '#' && !inWord:
			i = len(text)
		case b == ' ' || b == '\t':
			endWord()
		case b == '<' || b == '>':
			endWord()
			target = string(b)
		case b == '&' || b == ';':
			endCommand()
		case b == '|':
			endWord()
			switch {
			case len(c.words) > 0 && c.words[0] == "echo":
				c = command{where: where, in: strings.Join(c.words[1:], " ") + "\n"}
			case len(c.words) == 2 && c.words[0] == "printf":
				c = command{where: where, in: strings.ReplaceAll(c.words[1], `\n`, "\n")}
			default:
				t.Fatalf("%s: only echo, and printf of a text, are known before a pipe", where)
			}
		default:
			word, inWord = word+string(b), true
		}
	}
	endCommand()
	return all
}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && name == strings.ToUpper(name) && !strings.ContainsAny(name, "-/.")
}

// workspace is a directory with what the commands of the documents expect around them.
type workspace struct {
	root string
	runs int // of launchers
}

// newWorkspace makes the directory and goes there: the configurations of the project, and
// small files in place of the user's.
func newWorkspace(t *testing.T, root string) *workspace {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.CopyFS("configs", os.DirFS(filepath.Join(root, "configs"))); err != nil {
		t.Fatal(err)
	}
	paths, err := data.ExpandPaths([]string{"$GOROOT/src/testdata/Isaac.Newton-Opticks.txt"})
	if err != nil {
		t.Fatal(err)
	}
	book, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("texts", 0o777); err != nil {
		t.Fatal(err)
	}
	const question = `{"question":"2+2?","choices":["3","4"],"answer":1,"subject":"sums"}` + "\n"
	const sum = `{"question":"How many are 2 and 2?","answer":"2 and 2 are 4. #### 4"}` + "\n"
	for name, content := range map[string]string{
		"README.md":                       "Every token of this text is scored.\n",
		"my-text.txt":                     string(book[20000:50000]),
		"book.ids":                        "72 101 108\n",
		"chats.jsonl":                     `{"messages":[{"role":"user","content":"What is it?"},{"role":"assistant","content":"Light."}]}` + "\n",
		"questions.jsonl":                 `{"prompt":"The Rays of","completion":" Light"}` + "\n",
		"hellaswag_val.jsonl":             `{"activity_label":"Rowing","ctx_a":"They row.","ctx_b":"they","endings":["rest.","fly."],"label":"0"}` + "\n",
		"texts/a.jsonl":                   `{"text":"The Rays of Light"}` + "\n",
		"configs/tasks/gsm8k_test.jsonl":  sum,
		"configs/tasks/gsm8k_train.jsonl": strings.Repeat(sum, 5),
		"configs/tasks/mmlu_test.jsonl":   question,
		"configs/tasks/mmlu_dev.jsonl":    strings.Repeat(question, 5),
	} {
		write(t, filepath.FromSlash(name), content)
	}
	return &workspace{root: root}
}

// smolLM2 stands for a file of the user's: it is a model that README.md has trained, which
// each document imports anew.
func (w *workspace) smolLM2(t *testing.T, args []string) {
	const file = "SmolLM2-135M-Instruct.gguf"
	if len(args) < 3 || args[1] != file {
		return
	}
	if _, err := os.Stat(file); err != nil {
		must(t, "export", "runs/finetune-instruct", file, "--verify=false")
	}
	if err := os.RemoveAll(args[2]); err != nil {
		t.Fatal(err)
	}
}

// do runs a command of gotrain and tells so; of others it looks for the files.
func (w *workspace) do(t *testing.T, c command) bool {
	t.Helper()
	program, args := c.words[0], c.words[1:]
	switch {
	case program == "gotrain", strings.HasPrefix(program, "bin/gotrain") && notRun[program+" "+args[0]] == "":
		w.gotrain(t, c, args)
		return true
	case program == "go" && len(args) > 1 && strings.HasPrefix(args[1], "./scripts/"): // programs of the project, which have tests of their own
		if _, err := os.Stat(filepath.Join(w.root, args[1])); err != nil {
			t.Errorf("%v: %v", c, err)
		}
		return false
	case program == "go":
		args, ok := cutPrefix(args, "run", "./cmd/gotrain")
		if !ok {
			t.Errorf("%v: only go run ./cmd/gotrain is known", c)
			return false
		}
		w.gotrain(t, c, args)
		return true
	}
	launcher := slices.Contains(startsGotrain, program)
	known := launcher || notRun[program+" "+first(args)] != ""
	for prefix := range notRun {
		known = known || program == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(program, prefix)
	}
	if !known {
		t.Errorf("%v: add %s to notRun with the reason, or run it", c, program)
	}
	for _, word := range c.words {
		if strings.HasPrefix(word, "scripts/") || strings.HasPrefix(word, "configs/") {
			if _, err := os.Stat(filepath.Join(w.root, word)); err != nil {
				t.Errorf("%v: %v", c, err)
			}
		}
	}
	if !launcher {
		return false
	}
	at := slices.IndexFunc(args, func(word string) bool { return !strings.HasPrefix(word, "-") && !strings.Contains(word, "/") })
	if at < 0 {
		t.Errorf("%v: no command of gotrain", c)
		return false
	}
	args = args[at:]
	if args[0] != "pretrain" { // doctor --cluster needs several ranks
		checkUse(t, command{where: c.where, words: append([]string{"gotrain"}, args...)})
		return false
	}
	w.runs++
	w.gotrain(t, c, append(slices.Clone(args), "--run", fmt.Sprintf("runs/launched-%d", w.runs)))
	return true
}

// gotrain runs a command line with what makes it short.
func (w *workspace) gotrain(t *testing.T, c command, args []string) {
	t.Helper()
	args = slices.Clone(args)
	for i, word := range args {
		if i > 0 && args[i-1] == "--device" {
			args[i] = "cpu"
			if word != "cuda" {
				t.Errorf("%v: --device %s", c, word)
			}
		}
	}
	input := c.in
	if file, ok := strings.CutPrefix(c.in, "<"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v: %v", c, err)
		}
		input = string(content)
	}
	set := func(assignments ...string) {
		for _, a := range assignments {
			args = append(args, "--set", a)
		}
	}
	switch args[0] {
	case "import":
		w.smolLM2(t, args)
	case "pretrain":
		if strings.HasPrefix(c.config(), "shapes-") {
			set(pictured...)
			if c.config() == "shapes-diffusion" {
				set("recipe.steps=2")
			}
			break
		}
		if c.config() == "transformer-xl" {
			set("model.layers=1", "model.width=32", "model.context=64")
			set(short...)
			break
		}
		if c.config() == "configs/sums.yaml" {
			set("model.layers=1", "model.width=32")
			set(short...)
			break
		}
		if c.config() == "lstm" {
			set("model.layers=2", "model.width=32", "model.context=64", "tokenizer.vocab=300")
			set(short...)
			break
		}
		set("model.layers=1", "model.heads=4", "model.width=32", "model.ffn=64", "model.context=256")
		if c.config() == "dpo" || c.config() == "reward" { // of bytes
			set(short...)
			break
		}
		set("tokenizer.vocab=300")
		if named := strings.HasPrefix(args[1], "my-text"); !named && c.config() != "configs/opticks.yaml" && c.config() != "configs/characters.yaml" {
			set("data.train=[$GOROOT/src/testdata/Isaac.Newton-Opticks.txt]", "data.validation=0.1")
		}
		if strings.Contains(c.config(), "translate") {
			set("data.pairs.cipher=60", "recipe.translations=2")
		}
		set(short...)
	case "eval":
		if slices.Contains(args, "runs/held.tsv") {
			args = append(args, "--limit", "2")
		}
	case "finetune":
		if c.config() == "finetune-control" || c.config() == "finetune-picture-lora" {
			set(pictured...)
			set("recipe.steps=2")
			break
		}
		if strings.Contains(c.config(), "sums") {
			if strings.Contains(c.config(), "grpo") {
				set("recipe.samples=2")
			}
			set(short...)
			break
		}
		set("train.context=" + map[bool]string{true: "256", false: "128"}[strings.Contains(c.config(), "dpo")]) // of two answers
		if strings.Contains(c.config(), "instruct") || strings.Contains(c.config(), "documents") {
			set("data.instruct.max_examples=40")
		}
		set(short...)
	case "data":
		switch {
		case args[1] == "godoc":
			args = append(args, "--packages", "strings")
		case args[1] == "synth": // a model of two steps writes nothing that is kept
			if i := slices.Index(args, "--model"); i > 0 {
				args = slices.Delete(args, i, i+2)
				args = append(args, "--endpoint", "", "--endpoint-model", "m")
			}
			args[slices.Index(args, "--endpoint")+1] = writerServer(t).URL
			args = append(args, "--count", "5")
		case args[1] == "sums":
			args = append(args, "--count", "200")
		case strings.HasPrefix(c.config(), "shapes-"):
			set("data.shapes=60", "data.validation=0.2")
		case c.config() != "":
			set("tokenizer.vocab=300", "data.cache_dir=cache")
		}
	case "scale":
		if args[1] == "run" {
			set("budgets=[3e8, 9e8]", "sizes=[[model.layers=1, model.width=16, model.heads=2], [model.layers=2, model.width=16, model.heads=2], [model.layers=2, model.width=24, model.heads=2]]")
		}
		if args[1] == "lstm-figure" {
			set("tokens=4096", "sizes=[[model.layers=1, model.width=64, model.heads=2]]",
				"set=[train.batch=4, model.context=64, tokenizer.vocab=300, train.eval_every=0, 'train.sample=\"\"']")
			args = append(args, "--windows", "20")
		}
	case "sample":
		switch {
		case !slices.Contains(args, "--out"):
			args = append(args, "--max-tokens", "4")
		case slices.Contains(args, "--prompt"):
			args = append(args, "--steps", "2")
		}
	case "chat":
		args = append(args, "--max-tokens", "4")
		input = cmp.Or(input, "What is light?\n")
	}
	o := gotrain(t, input, args...)
	if o.code != 0 {
		t.Errorf("%v\nran as gotrain %s: exit code %d\n%s", c, strings.Join(args, " "), o.code, o.errOut)
	}
	if c.out != "" {
		write(t, c.out, o.out)
	}
}

// short are settings of runs that take a moment.
var short = []string{"train.steps=2", "train.batch=2", "train.accumulate=1", "train.eval_batches=1", "train.sample_tokens=2",
	"train.save=sync", "optimizer.warmup=1", "data.cache_dir=cache"}

// pictured are settings of runs of drawn shapes that take a moment.
var pictured = []string{"train.steps=2", "train.batch=2", "train.accumulate=1", "train.eval_batches=1", "train.save=sync", "optimizer.warmup=1",
	"data.shapes=60", "data.validation=0.2"}

// config is the value of --config.
func (c command) config() string {
	if i := slices.Index(c.words, "--config"); i >= 0 && i+1 < len(c.words) {
		return c.words[i+1]
	}
	return ""
}

// checkUse looks for the command and the flags of a command line that is not run. Their
// values may stand for others, such as DIR.
func checkUse(t *testing.T, c command) {
	t.Helper()
	found, rest, err := newRoot().Find(c.words[1:])
	if err != nil {
		t.Errorf("%v: %v", c, err)
		return
	}
	found.InitDefaultHelpFlag()
	for _, word := range rest {
		name, ok := strings.CutPrefix(word, "--")
		if name, _, _ = strings.Cut(name, "="); ok && found.Flag(name) == nil {
			t.Errorf("%v: gotrain %s has no flag --%s", c, found.Name(), name)
		}
	}
}

func cutPrefix(words []string, prefix ...string) ([]string, bool) {
	if len(words) < len(prefix) || !slices.Equal(words[:len(prefix)], prefix) {
		return words, false
	}
	return words[len(prefix):], true
}

func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// TestExamplesParse looks for the flags of the examples that --help prints, and of the
// commands at the head of configurations.
func TestExamplesParse(t *testing.T) {
	var lines []command
	walk(newRoot(), func(c *cobra.Command) {
		for _, line := range strings.Split(c.Example, "\n") {
			if at := strings.Index(line, "gotrain "); at >= 0 {
				lines = append(lines, parseLine(t, "gotrain "+c.Name()+" --help", line[at:])...)
			}
		}
	})
	configs, err := filepath.Glob("../../configs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range configs {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(content), "\n") {
			if text, ok := strings.CutPrefix(strings.TrimLeft(line, "# "), "gotrain "); ok && strings.HasPrefix(line, "#") {
				lines = append(lines, parseLine(t, file, "gotrain "+text)...)
			}
		}
	}
	for _, c := range lines {
		checkUse(t, c)
	}
	if len(lines) < 40 {
		t.Errorf("only %d examples were found", len(lines))
	}
}
