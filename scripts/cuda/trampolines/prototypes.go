package main

import (
	"regexp"
	"slices"
	"strings"
)

// function is a prototype.
type function struct {
	name    string
	pointer bool // whether it returns one
}

// prototypes returns the functions that preprocessed C declares and whose names
// begin with the prefix and a capital letter, in the order of their names. It reads the
// statements at file scope: a name followed by a parenthesis outside all other
// parentheses is a function, unless the statement is a typedef. Function
// definitions (static inline helpers of a header) are not prototypes.
func prototypes(source, prefix string) []function {
	wanted := regexp.MustCompile(`^` + prefix + `[A-Z]\w*$`)
	var found []function
	var candidate function
	depth, typedef, first := 0, false, true
	tokens := token.FindAllString(source, -1)
	for i, t := range tokens {
		switch t {
		case "(", "{", "[":
			if t == "{" && depth == 0 {
				candidate = function{}
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
			if candidate.name != "" && !typedef {
				found = append(found, candidate)
			}
			candidate, typedef, first = function{}, false, true
		case "*":
			if depth == 0 && candidate.name == "" {
				candidate.pointer = true
			}
		default:
			if first && depth == 0 {
				typedef, first = t == "typedef", false
			}
			called := i+1 < len(tokens) && tokens[i+1] == "("
			if depth == 0 && called && candidate.name == "" && wanted.MatchString(t) {
				candidate.name = t
			}
		}
	}
	slices.SortFunc(found, func(a, b function) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(found)
}

// token splits C into words and single characters; strings stay whole.
var token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\w+|[^\s\w]`)
