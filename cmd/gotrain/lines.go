package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// lineReader gives what the user types.
type lineReader interface{ ReadLine() (string, error) }

// openLines reads lines with editing and history from a terminal, plain ones from
// anything else.
func openLines(c *cobra.Command) lineReader {
	in, isFile := c.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return &plainLines{bufio.NewReader(c.InOrStdin())}
	}
	fmt.Fprintln(c.ErrOrStderr(), "/system TEXT, /reset, /quit; ctrl-C stops an answer")
	signal.Reset(os.Interrupt) // not the program
	return &terminalLines{in: in, editor: term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, c.OutOrStdout()}, "> ")}
}

type plainLines struct{ r *bufio.Reader }

// ReadLine returns the next line, the last one also without a line end.
func (p *plainLines) ReadLine() (string, error) {
	line, err := p.r.ReadString('\n')
	if err == io.EOF && line != "" {
		err = nil
	}
	return line, err
}

// terminalLines edits lines in raw mode; between lines the terminal is as before,
// so that ctrl-C reaches the program.
type terminalLines struct {
	in     *os.File
	editor *term.Terminal
}

// ReadLine lets the user edit a line.
func (t *terminalLines) ReadLine() (string, error) {
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return "", err
	}
	line, err := t.editor.ReadLine()
	return line, errors.Join(err, term.Restore(int(t.in.Fd()), state))
}
