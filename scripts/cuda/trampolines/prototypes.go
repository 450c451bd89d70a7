package main

import (
	"regexp"
	"slices"
)

// prototypes returns the sorted names of the functions that preprocessed C
// declares and that begin with the prefix and a capital letter. It reads the
// statements at file scope: a name followed by a parenthesis outside all other
// parentheses is a function, unless the statement is a typedef. Function
// definitions (static inline helpers of a header) are not prototypes.
func prototypes(source, prefix string) []string {
	function := regexp.MustCompile(`^` + prefix + `[A-Z]\w*$`)
	var names []string
	depth, candidate, typedef, first := 0, "", false, true
	tokens := token.FindAllString(source, -1)
	for i, t := range tokens {
		switch t {
		case "(", "{", "[":
			if t == "{" && depth == 0 {
				candidate = ""
			}
			depth++
		case ")", "}", "]":
			depth--
			if t == "}" && depth == 0 {
				first = true
			}
		case ";":
			if depth != 0 {
				continue
			}
			if candidate != "" && !typedef {
				names = append(names, candidate)
			}
			candidate, typedef, first = "", false, true
		default:
			if first && depth == 0 {
				typedef, first = t == "typedef", false
			}
			called := i+1 < len(tokens) && tokens[i+1] == "("
			if depth == 0 && called && candidate == "" && function.MatchString(t) {
				candidate = t
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// token splits C into words and single characters; strings stay whole.
var token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\w+|[^\s\w]`)
