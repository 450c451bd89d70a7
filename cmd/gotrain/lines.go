package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/peterh/liner"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// lineReader gives what the user types.
type lineReader interface {
	ReadLine() (string, error)
	Close() error
}

// openLines reads lines with editing and history from a terminal, plain ones from
// anything else.
func openLines(c *cobra.Command) lineReader {
	in, isFile := c.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return &plainLines{bufio.NewReader(c.InOrStdin())}
	}
	fmt.Fprintln(c.ErrOrStderr(), "/help lists what else there is; ctrl-D leaves")
	signal.Reset(os.Interrupt) // not the program
	t := &terminalLines{out: c.OutOrStdout(), editor: liner.NewLiner(), file: historyFile()}
	t.editor.SetCtrlCAborts(true)
	t.editor.SetCompleter(completeCommand)
	if f, err := os.Open(t.file); err == nil {
		_, _ = t.editor.ReadHistory(f) // a history that cannot be read is none
		f.Close()
	}
	return t
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

// Close does nothing.
func (p *plainLines) Close() error { return nil }

// terminalLines edits lines; between them the terminal turns ctrl-C into an interrupt.
type terminalLines struct {
	out    io.Writer
	editor *liner.State
	file   string // of the history, "" for none
}

// ReadLine lets the user edit a line; ctrl-C gives an empty one.
func (t *terminalLines) ReadLine() (string, error) {
	line, err := t.editor.Prompt("> ")
	if errors.Is(err, liner.ErrPromptAborted) {
		return "", nil
	}
	if errors.Is(err, io.EOF) {
		fmt.Fprintln(t.out)
	}
	if err == nil && line != "" {
		t.editor.AppendHistory(line)
	}
	return line, err
}

// Close gives the terminal back and keeps the history, which only its owner can read.
func (t *terminalLines) Close() error {
	err := t.editor.Close()
	if t.file == "" || os.MkdirAll(filepath.Dir(t.file), 0o700) != nil {
		return err
	}
	f, createErr := os.OpenFile(t.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if createErr != nil {
		return err // the conversation was had; its history is a comfort
	}
	_, writeErr := t.editor.WriteHistory(f)
	return errors.Join(err, writeErr, f.Close())
}

// historyFile is where lines that were typed are kept, "" without a home.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "gotrain", "chat_history")
}
