package text

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// FormatInstruct is the data.format of conversations.
const FormatInstruct = "instruct"

// InstructData is the section data of conversations.
type InstructData struct {
	data.Config `yaml:",inline"`
	Instruct    instruct.Config `yaml:"instruct"`
}

// Validate reports every fault at once.
func (d InstructData) Validate() error {
	if len(d.Sources) > 0 {
		return errors.Join(errors.New("data.sources are for text: name all files of conversations in data.train, whatever their formats"), d.Instruct.Validate())
	}
	return errors.Join(d.Config.Validate(), d.Instruct.Validate())
}

// InstructFormat is the choice of that format.
func InstructFormat() config.Choice {
	return config.Choice{Name: FormatInstruct, New: func() any {
		return &InstructData{Config: data.Config{Format: data.FormatText, TextKey: "text", BOS: true}, Instruct: instruct.Default()}
	}}
}

// ReadingConversations is what the conversations take of memory.
func ReadingConversations(c config.Config) data.Memory {
	d, ok := c.Data.Value().(*InstructData)
	if !ok {
		return data.Memory{}
	}
	paths, held, err := d.Files()
	if err != nil {
		return data.Memory{}
	}
	return instruct.Memory(append(paths, held...), d.Encoding, c.Length())
}

// CheckConversations returns what is wrong with a configuration that conversations are learnt by.
func CheckConversations(c config.Config) error {
	var errs []error
	if !c.Train.DocumentMask {
		errs = append(errs, errors.New("data.format instruct needs train.document_mask: true: conversations that share a row must not see each other"))
	}
	if c.Tokenizer.Path == "" {
		errs = append(errs, errors.New("data.format instruct needs a tokenizer: name a model with base, or a directory with tokenizer.path"))
	}
	return errors.Join(errs...)
}

// Conversations are those of a configuration as a model reads them.
type Conversations struct {
	Config     instruct.Config
	Encoder    *instruct.Encoder
	Train      *instruct.Set
	Validation *instruct.Set // nil when nothing is held out
	Ledger     *data.Ledger  // the sides of the conversations
	Pad        int32         // fills rows
	Identity   hub.Identity  // with the template, and the tokens that end turns
}

// ReadConversations encodes the conversations of env for a model of that identity, whose chat
// template is taken if the configuration names none. known is what the run has trained
// on and holds out already, nil for nothing.
func ReadConversations(ctx context.Context, env recipe.Env, tokens data.Tokenizer, id hub.Identity, known *data.Ledger) (*Conversations, error) {
	c := env.Config
	d, ok := c.Data.Value().(*InstructData)
	if !ok {
		return nil, fmt.Errorf("data.format is %s; conversations are of format %s", c.Data.Name(), FormatInstruct)
	}
	encoder, err := Conversing(env, &d.Instruct, tokens, &id)
	if err != nil {
		return nil, err
	}
	in := &Conversations{Config: d.Instruct, Encoder: encoder}
	if err := in.read(ctx, d, env, known); err != nil {
		return nil, err
	}
	in.Pad = EndTurns(&id, in.Train.EndTokens())
	in.Identity = id
	return in, nil
}

func (in *Conversations) read(ctx context.Context, d *InstructData, env recipe.Env, known *data.Ledger) error {
	length := env.Config.Length()
	paths, heldPaths, err := d.Files()
	if err != nil {
		return err
	}
	conversations, fraction := instruct.Read(paths, d.Encoding), d.Validation
	sides, err := instruct.Split(conversations, fraction, known)
	if err != nil {
		return err
	}
	conversations = counted(env, conversations)
	if env.Held {
		in.Train, err = instruct.Build(ctx, d.Instruct, in.Encoder, length, conversations)
		in.Validation, in.Ledger = in.Train, sides.Ledger()
		return err
	}
	if in.Train, err = instruct.Build(ctx, d.Instruct, in.Encoder, length, sides.Side(conversations, false)); err != nil {
		if errors.Is(err, instruct.ErrNone) && fraction > 0 {
			err = config.Faultf("data.validation %v leaves nothing to train on: the files are empty, or all conversations have the same answer or are held out by the run; add some, or name data.validation_paths", fraction)
		}
		return err
	}
	held := sides.Side(conversations, true)
	if len(heldPaths) > 0 {
		held = sides.Given(instruct.Read(heldPaths, d.Encoding))
	}
	if fraction > 0 || len(heldPaths) > 0 {
		if in.Validation, err = instruct.Build(ctx, d.Instruct, in.Encoder, length, held); err != nil {
			return heldOutFault(d, known, err)
		}
	}
	in.Ledger = sides.Ledger()
	return nil
}

// counted tells env how many conversations have come.
func counted(env recipe.Env, conversations iter.Seq2[chat.Conversation, error]) iter.Seq2[chat.Conversation, error] {
	if env.Progress == nil {
		return conversations
	}
	return func(yield func(chat.Conversation, error) bool) {
		seen := data.Progress{Doing: data.Conversing}
		for c, err := range conversations {
			if seen.Documents++; seen.Documents%progressEvery == 0 {
				env.Progress(seen)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// progressEvery is how many conversations lie between two tellings.
const progressEvery = 256

// Tell says what of the records is not learnt: keys that nothing reads, and answers that
// say nothing.
func (in *Conversations) Tell(env recipe.Env) {
	stats := []instruct.Stats{in.Train.Stats()}
	if in.Validation != nil {
		stats = append(stats, in.Validation.Stats())
	}
	empty, silent := 0, 0
	var unread []instruct.Unread
	for _, s := range stats {
		empty, silent = empty+s.Empty, silent+s.EmptyAnswers
		unread = instruct.MergeUnread(unread, s.Unread)
	}
	if empty > 0 || silent > 0 {
		env.Telling("left out", "%d conversations without an answer to learn; %d answers are empty", empty, silent)
	}
	if len(unread) > 0 {
		env.Telling("not read", "%s", instruct.ListUnread(unread))
	}
}

// heldOutFault words that there are no held-out conversations.
func heldOutFault(d *InstructData, known *data.Ledger, err error) error {
	switch {
	case !errors.Is(err, instruct.ErrNone) || d.Validation == 0:
		return fmt.Errorf("held-out conversations: %w", err)
	case known != nil:
		return config.Faultf("data.validation %v holds nothing out: the run has trained on all of these conversations; add some that it does not know, or name data.validation_paths", d.Validation)
	}
	return config.Faultf("data.validation %v holds nothing out: all conversations have the same answer; add some, or name data.validation_paths", d.Validation)
}

// Facts are what all ranks must agree on.
func (in *Conversations) Facts() (facts []ranks.Fact) {
	if in.Config.Date != "" {
		facts = append(facts, ranks.Fact{Name: "data.instruct.date", Value: in.Config.Date, Cure: "set it, where nodes begin on different days"})
	}
	return append(facts, ranks.Fact{Name: "data", Value: fmt.Sprintf("%+v", in.Train.Stats()), Cure: "data.paths have to name the same content on all nodes"})
}
