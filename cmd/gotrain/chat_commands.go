package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/talk"
)

// chatCommands are what a line that begins with a slash may be.
var chatCommands = []struct{ name, argument, does string }{
	{"/help", "", "shows these"},
	{"/system", "[TEXT]", "sets what the system says and begins anew; without TEXT nothing"},
	{"/reset", "", "begins anew"},
	{"/retry", "", "takes the newest answer back and gives another"},
	{"/set", "[NAME VALUE]", "sets " + strings.Join(samplingNames, ", ") + "; without NAME shows them"},
	{"/save", "FILE", "adds the conversation to FILE as a line of JSON, which finetune reads"},
	{"/quit", "", "leaves, as ctrl-D; ctrl-C stops an answer or clears the line"},
}

// helpOfCommands lists them, each line after indent.
func helpOfCommands(indent string) string {
	var b strings.Builder
	for _, c := range chatCommands {
		fmt.Fprintf(&b, "%s%-20s %s\n", indent, strings.TrimSpace(c.name+" "+c.argument), c.does)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// completeCommand completes the beginning of a command.
func completeCommand(line string) []string {
	var found []string
	for _, c := range chatCommands {
		if line != "" && strings.HasPrefix(c.name, line) {
			found = append(found, c.name+" ")
		}
	}
	return found
}

// command does what a line asks that begins with a slash. It ends the conversation with
// io.EOF; what the user typed wrongly it tells.
func (s *chatSession) command(line string) error {
	name, argument, _ := strings.Cut(line, " ")
	argument = strings.TrimSpace(argument)
	switch name {
	case "/quit", "/exit":
		return io.EOF
	case "/help":
		s.tell("%s", helpOfCommands(""))
	case "/reset":
		s.talk.Reset(s.talk.System())
		s.tell("a new conversation")
	case "/system":
		s.talk.Reset(argument)
		s.tell("a new conversation")
	case "/retry":
		return s.retry()
	case "/set":
		s.set(argument)
	case "/save":
		s.save(argument)
	default:
		s.tell("%s is no command; /help lists them", name)
	}
	return nil
}

// retry asks again with the next seed.
func (s *chatSession) retry() error {
	s.flags.asked.Seed++
	if err := s.flags.resolve(); err != nil {
		return err
	}
	s.talk.Set(s.flags.sampling, s.flags.maxTokens)
	err := s.answer(s.talk.Retry)
	if errors.Is(err, talk.ErrNoAnswer) {
		s.tell("%v", err)
		return nil
	}
	if s.flags.sampling.Temperature == 0 {
		s.tell("(greedy: the same answer; /set greedy false or /set temperature 0.8 gives others)")
	}
	return err
}

// set sets one of samplingNames, or shows all.
func (s *chatSession) set(argument string) {
	flags := s.cobra.Flags()
	name, value, _ := strings.Cut(argument, " ")
	value = strings.TrimSpace(value)
	switch {
	case name == "":
		for _, n := range samplingNames {
			s.tell("%-18s %s", n, flags.Lookup(n).Value)
		}
		return
	case !slices.Contains(samplingNames, name):
		s.tell("there is no setting %s; there are %s", name, strings.Join(samplingNames, ", "))
		return
	}
	was := flags.Lookup(name).Value.String()
	err := flags.Set(name, value)
	if err == nil {
		err = s.flags.resolve()
	}
	if err != nil {
		s.tell("%v", err)
		if err := errors.Join(flags.Set(name, was), s.flags.resolve()); err != nil {
			s.tell("%v", err)
		}
		return
	}
	s.talk.Set(s.flags.sampling, s.flags.maxTokens)
}

// save adds the conversation to a file of instruction data.
func (s *chatSession) save(file string) {
	if file == "" {
		s.tell("/save wants the name of a file")
		return
	}
	line, err := json.Marshal(map[string][]chat.Message{"messages": s.talk.Messages()})
	if err == nil {
		err = vfs.AppendLine(vfs.OS{}, file, line)
	}
	if err != nil {
		s.tell("not saved: %v", err)
		return
	}
	s.tell("saved to %s", file)
}

func (s *chatSession) tell(format string, args ...any) {
	fmt.Fprintf(s.cobra.ErrOrStderr(), format+"\n", args...)
}
