package shell

import (
	"os/exec"
	"testing"
)

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"runs/opticks": "runs/opticks", "": `""`, "run ü x": `"run ü x"`, "a'b": `"a'b"`, `a"b`: `'a"b'`, "a[1]": `"a[1]"`, "cost$5": `'cost$5'`,
		`it's $5`: `'it'\''s $5'`, "\n": `$'\n'`, "a\tb'\\": `$'a\tb\'\\'`, "\x01\u00a0é": `$'\001\302\240é'`, "\xff1": `$'\3771'`,
		"~/x": `"~/x"`, "a!b": `'a!b'`, "`ls`": "'`ls`'", "a=b,c:d@e%f+g": "a=b,c:d@e%f+g", "*": `"*"`, "a;b": `"a;b"`, "#": `"#"`,
	} {
		if got := Quote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// A shell reads what was written.
func TestShellReads(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	for _, word := range []string{"", "a b", "'", `"`, `'"`, "$HOME", "`id`", "!!", `\`, `\n`, "\n", "a\nb\t\r\x01\x7f", "é\u2028\xff\xfe1", "*", "~", "#x", "a=$(b)", "-n", "{a,b}", "[!x]?"} {
		out, err := exec.Command(bash, "-c", Command("printf", "%s.", word)).Output()
		if err != nil || string(out) != word+"." {
			t.Errorf("%q is written %s and read as %q, %v", word, Quote(word), out, err)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a b\n'$")
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Skip("there is no bash")
	}
	f.Fuzz(func(t *testing.T, word string) {
		for _, c := range []byte(word) {
			if c == 0 {
				t.Skip("no word of a shell has a NUL")
			}
		}
		out, err := exec.Command(bash, "-c", Command("printf", "%s.", word)).Output()
		if err != nil || string(out) != word+"." {
			t.Errorf("%q is written %s and read as %q, %v", word, Quote(word), out, err)
		}
	})
}
