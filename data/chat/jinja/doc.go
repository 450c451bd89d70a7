// Package jinja renders chat templates exactly as jinja2 does in the way transformers sets it up, or says where it cannot.
//
// [Parse] compiles a template once; [Template.Render] renders it with variables of type [Value], which [FromJSON] reads from
// JSON with the order of keys and the kinds of numbers kept. The environment is transformers': jinja2's sandbox in which
// nothing can be changed, trim_blocks and lstrip_blocks, no autoescape, break and continue, {% generation %}, tojson without
// escapes for HTML, raise_exception and strftime_now.
//
// # Map
//
//	lexer, escape                        text → tokens, white space control; escapes in strings
//	parser, parse_statement, parse_expr, tokens → syntax tree, after jinja2/parser.py
//	ast
//	symbols                              which variable a name means, after jinja2/idtracking.py
//	compile, compile_expr, fold          syntax tree → statements and expressions; constants, after compiler.py and nodes.py
//	exec, loop, calls, eval              statements, for, macros and calls, expressions
//	machine                              the state of a rendering and its limits
//	value, equal, dict, number,          Python's types, their operators and attributes
//	number_text, ops, sequence, attr
//	str, str_table, unicode              methods of strings, by code points
//	repr, format, format_spec, printf,   repr(), str.format, the operator %, strftime
//	strftime
//	filters, filters_text, filters_seq,  the filters; tests; tojson; escaping
//	html, json, tests
//	text                                 the strings of values, the words of a template
//	globals                              range, dict, namespace, cycler, joiner and transformers' functions
//
// Names in comments such as Macro.__call__ are those of the original, beside which a file can be read.
//
// # Exact or refused
//
// A template sees Python: integers of any size, true division, repr() of what it prints, code points, lazy generators that
// are used up, the scope of set, which of two equal sorts comes first. What cannot be the same from run to run in Python
// (addresses, random, lipsum, whether equal strings are one object) and what no template needs (bytes, sets, complex numbers,
// pprint over several lines) ends with an [Error] of kind [Refused] that says what and where. scripts/parity/templates.sh
// compares generated templates with jinja2, testdata/golden.json holds some of them.
//
// # Hostile templates
//
// A template is code of a stranger. It sees nothing but its variables; [Limits] bounds its steps and the memory of what it
// makes, recursion is bounded, and a context stops it. No goroutine is started. Errors inside the engine are panics with
// *Error that Parse and Render recover.
package jinja
