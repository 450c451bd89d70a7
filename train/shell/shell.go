// Package shell writes commands that a person can paste into a shell: bash, zsh or ksh.
package shell

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Command writes words as one command line.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}

// Quote writes a word so that a shell reads it as it is: plain where it can stand so, else
// in double quotes, in single ones where double ones would not keep it, and with escapes,
// as in $'\n', where it has characters that do not print.
func Quote(word string) string {
	switch {
	case word != "" && strings.Trim(word, plain) == "":
		return word
	case strings.IndexFunc(word, unprintable) >= 0 || !utf8.ValidString(word):
		return "$'" + escape(word) + "'"
	case !strings.ContainsAny(word, "\"$`\\!"):
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// plain are the characters that mean nothing to a shell.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"

func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// escape writes word between the quotes of $'…'.
func escape(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); {
		r, n := utf8.DecodeRuneInString(word[i:])
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == utf8.RuneError && n <= 1, unprintable(r):
			for _, c := range []byte(word[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c) // three digits end it whatever follows
			}
		default:
			b.WriteString(word[i : i+n])
		}
		i += n
	}
	return b.String()
}
