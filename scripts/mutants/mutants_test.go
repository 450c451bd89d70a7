package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLists reads the lists: their files are there and their faults have names of
// their own. Whether each still applies is for -check.
func TestLists(t *testing.T) {
	faults, err := readLists(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if _, err := os.Stat(filepath.Join("../..", f.file)); err != nil {
			t.Errorf("%s: %v", f.from, err)
		}
		for _, pkg := range f.tests {
			pkg, _, _ = strings.Cut(pkg, ":")
			if _, err := os.Stat(filepath.Join("../..", pkg)); err != nil || !strings.HasPrefix(pkg, ".") {
				t.Errorf("%s: no package %s", f.from, pkg)
			}
		}
	}
}

func TestParse(t *testing.T) {
	faults, err := parse("list", []byte(`# comment
= both ./a ./b:TestB
@ one a.go both
-	x := 1
-	y := 2
+	x := 2
? nobody
? reads it

@ two b.go .
-gone
`))
	if err != nil {
		t.Fatal(err)
	}
	one, two := faults[0], faults[1]
	if one.old != "\tx := 1\n\ty := 2" || one.new != "\tx := 2" || one.reason != "nobody reads it" || len(one.tests) != 2 || one.from != "list:3" {
		t.Errorf("%+v", one)
	}
	if two.old != "gone" || two.new != "" || two.file != "b.go" {
		t.Errorf("%+v", two)
	}
	for _, bad := range []string{"-text", "@ id file", "@ id file pkg\ntext"} {
		if _, err := parse("list", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestVerdicts plants faults into a module of one function and one test.
func TestVerdicts(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module m\n\ngo 1.25\n",
		"m.go":      "package m\n\nfunc Sum(x ...int) (n int) {\n\tfor _, x := range x {\n\t\tn += x\n\t}\n\treturn n\n}\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif n := Sum(2, 2); n != 4 {\n\t\tt.Fatal(n)\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	p := planter{root: root, dir: t.TempDir(), limit: time.Minute, procs: 1}
	for _, tc := range []struct {
		old, new string
		want     verdict
	}{
		{"n += x", "n -= x", noticed},
		{"n += x", "panic(x)", noticed},
		{"return n", "return max(n, 4)", survived},
		{"n += x", "n += y", broken},
		{"n", "m", stale},
		{"elsewhere", "", stale},
	} {
		o := p.test(context.Background(), fault{id: "t/f", file: "m.go", tests: []string{"."}, old: tc.old, new: tc.new})
		if o.Verdict != tc.want {
			t.Errorf("%q for %q: %s (%s), want %s", tc.new, tc.old, o.Verdict, o.By, tc.want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "m.go")); err != nil || !strings.Contains(string(text), "n += x") {
		t.Errorf("the tree was changed: %v %s", err, text)
	}
}
