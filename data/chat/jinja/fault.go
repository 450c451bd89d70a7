package jinja

import "fmt"

// Kind says what sort of error a template ends with, in the terms of jinja2 and of Python's exceptions.
type Kind int

const (
	Syntax     Kind = iota // the template does not parse or does not compile
	Undefined              // something undefined is used
	Type                   // TypeError
	Lookup                 // KeyError, IndexError
	Arithmetic             // ZeroDivisionError, OverflowError
	Argument               // ValueError and what filters say of their arguments
	Runtime                // any other error of jinja2's runtime
	Security               // what the sandbox forbids
	Raised                 // raise_exception was called
	Refused                // jinja2 would go on; this engine does not know how to do it exactly
	Limit                  // the template takes more time or memory than it may
	Internal               // a fault of this engine
)

var kindNames = [...]string{"syntax error", "undefined", "type error", "lookup error", "arithmetic error", "value error", "runtime error",
	"security error", "raised", "refused", "limit", "internal error"}

func (k Kind) String() string { return kindNames[k] }

// Error is why a template does not parse or render.
type Error struct {
	Kind    Kind
	Line    int // from 1, 0 where it is not known
	Message string
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return e.Message
}

// fail ends the parsing or rendering. Inside the engine errors travel as panics with *Error, as Python's exceptions do;
// Parse and Render recover them, and so do the few places where Python's code has an except clause.
func fail(kind Kind, format string, args ...any) {
	panic(&Error{Kind: kind, Message: fmt.Sprintf(format, args...)})
}

func typeError(format string, args ...any)  { fail(Type, format, args...) }
func valueError(format string, args ...any) { fail(Argument, format, args...) }

// refuse ends the rendering where jinja2 would go on and this engine cannot follow exactly.
func refuse(format string, args ...any) { fail(Refused, format, args...) }

// failAt raises a syntax error at a line.
func failAt(line int, format string, args ...any) {
	panic(&Error{Syntax, line, fmt.Sprintf(format, args...)})
}

// refuseAt refuses a template at a line.
func refuseAt(line int, format string, args ...any) {
	panic(&Error{Refused, line, fmt.Sprintf(format, args...)})
}

// attempt calls f and returns the error that it ends with, if any.
func attempt(f func()) (err *Error) {
	defer func() {
		if cause := recover(); cause != nil {
			fault, ok := cause.(*Error)
			if !ok {
				panic(cause)
			}
			err = fault
		}
	}()
	f()
	return nil
}

// attemptAll is attempt that makes an error of any panic, so that a fault of this engine costs a conversation, not a run.
func attemptAll(f func()) (err *Error) {
	defer func() {
		if cause := recover(); cause != nil {
			fault, ok := cause.(*Error)
			if !ok {
				fault = &Error{Kind: Internal, Message: fmt.Sprint("a fault of the template engine: ", cause)}
			}
			err = fault
		}
	}()
	f()
	return nil
}
