package gotrain_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// proseWidth is the most characters of a line of prose in a Markdown file. Tables and
// code, which cannot be broken, may be wider.
const proseWidth = 150

// projectFiles calls f with the path and content of every file of the project whose
// name ends as one of the endings does. Built and ignored folders are left out.
func projectFiles(t *testing.T, f func(name, content string), endings ...string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch name {
			case ".git", ".venv", "bin", "build", "runs", "models":
				return fs.SkipDir
			}
			return nil
		}
		for _, ending := range endings {
			if strings.HasSuffix(name, ending) && d.Type().IsRegular() {
				content, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				f(filepath.ToSlash(name), string(content))
				return nil
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// proseLines calls f with the number, from 1, and text of each line outside code blocks.
func proseLines(content string, f func(number int, line string)) {
	code := false
	for i, line := range strings.Split(content, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			f(i+1, line)
		}
	}
}

func TestDocumentsWidth(t *testing.T) {
	projectFiles(t, func(name, content string) {
		proseLines(content, func(number int, line string) {
			indented := strings.HasPrefix(line, "    ")
			if n := utf8.RuneCountInString(line); n > proseWidth && !strings.HasPrefix(line, "|") && !indented {
				t.Errorf("%s:%d has %d characters; wrap prose at %d", name, number, n, proseWidth)
			}
		})
		if n := strings.Count(content, "\n"); name == "README.md" && n >= 200 {
			t.Errorf("README.md has %d lines, 200 or more: a guide belongs beside what it describes", n)
		}
	}, ".md")
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notKey = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the fragments by which the headings of a document are linked to.
func anchors(content string) map[string]bool {
	all := map[string]bool{}
	proseLines(content, func(_ int, line string) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			key := notKey.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			all[strings.ReplaceAll(key, " ", "-")] = true
		}
	})
	return all
}

// TestDocumentsLinks follows every link of every document to a file or heading of the project.
func TestDocumentsLinks(t *testing.T) {
	links := 0
	projectFiles(t, func(name, content string) {
		proseLines(content, func(number int, line string) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				target, fragment, _ := strings.Cut(m[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				links++
				file := name
				if target != "" {
					file = path.Join(path.Dir(name), target)
				}
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s:%d links to %s, which is not there", name, number, m[1])
					continue
				}
				if fragment == "" {
					continue
				}
				linked, err := os.ReadFile(file)
				if err != nil {
					t.Error(err)
				} else if !anchors(string(linked))[fragment] {
					t.Errorf("%s:%d links to %s, which has no such heading", name, number, m[1])
				}
			}
		})
	}, ".md")
	if links < 10 {
		t.Errorf("only %d links were found", links)
	}
}

// named finds what a text names of the folders whose files users and scripts call.
// A star ends the name of several.
var named = regexp.MustCompile(`(?:^|[^\w/.-])((?:scripts|configs)/[\w./-]*\w)(-?\*)?`)

// notThere are names that no file of the project has, each with its reason.
var notThere = map[string]string{
	"configs/tasks/gsm8k_test.jsonl":  "the user puts it there",
	"configs/tasks/gsm8k_train.jsonl": "the user puts it there",
	"configs/tasks/mmlu_test.jsonl":   "the user puts it there",
	"configs/tasks/mmlu_dev.jsonl":    "the user puts it there",
}

// TestNamedFiles looks for every script and configuration that a document, comment,
// error text or script names.
func TestNamedFiles(t *testing.T) {
	projectFiles(t, func(name, content string) {
		for i, line := range strings.Split(content, "\n") {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				if notThere[m[1]] != "" {
					continue
				}
				if found, err := filepath.Glob(m[1] + m[2]); err != nil || len(found) == 0 {
					t.Errorf("%s:%d names %s, which is not there", name, i+1, m[1]+m[2])
				}
			}
		}
	}, ".md", ".go", ".cu", ".cuh", ".sh", ".py", ".yaml", ".sbatch", ".h", ".txt", "Makefile", "gpu-check", ".ci/run")
}

// TestScriptsRun wants an interpreter and the right to execute of each script, but of
// those that others source, which have neither.
func TestScriptsRun(t *testing.T) {
	projectFiles(t, func(name, content string) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		shebang, executable := strings.HasPrefix(content, "#!"), info.Mode()&0o100 != 0
		if shebang != executable {
			t.Errorf("%s: first line %.20q, mode %v", name, content, info.Mode())
		}
		if !shebang && !strings.HasPrefix(content, "# Sourced by ") {
			t.Errorf("%s has no interpreter, and does not begin by saying who sources it", name)
		}
	}, ".sh", ".sbatch", "gpu-check", ".ci/run")
}

var (
	target     = regexp.MustCompile(`(?m)^([a-z][a-z-]*):(.*)$`)
	makeInText = regexp.MustCompile("(?:^|[`\\s])make ((?:[a-z]+-?)+)")
)

// TestMakeTargets compares the targets of the Makefile with what documents and scripts
// tell users to make.
func TestMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
		if !strings.Contains(m[2], "## ") {
			t.Errorf("make %s does not say what it does, after ##", m[1])
		}
		if !regexp.MustCompile(`(?m)^\.PHONY:.* ` + m[1] + `( |$)`).Match(makefile) {
			t.Errorf("make %s is not in .PHONY", m[1])
		}
	}
	contributing, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range targets {
		if !strings.Contains(string(contributing), "make "+name) {
			t.Errorf("CONTRIBUTING.md does not list make %s", name)
		}
	}
	check := func(name, text string) {
		for _, m := range makeInText.FindAllStringSubmatch(text, -1) {
			if !targets[m[1]] {
				t.Errorf("%s says make %s; the Makefile has no such target", name, m[1])
			}
		}
	}
	projectFiles(t, func(name, content string) {
		code := false
		for _, line := range strings.Split(content, "\n") {
			if strings.HasPrefix(line, "```") {
				code = !code
			} else if code {
				check(name, line)
			}
			for i, span := range strings.Split(line, "`") {
				if i%2 == 1 {
					check(name, span)
				}
			}
		}
	}, ".md")
	projectFiles(t, func(name, content string) { check(name, content) }, ".ci/run")
}
