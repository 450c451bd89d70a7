// Package instruct is the recipe of instruction tuning: what the assistant says in
// conversations, which are packed into rows that do not see each other.
package instruct

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
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Format is the data.format of conversations.
const Format = "instruct"

// Data is the section data of conversations.
type Data struct {
	data.Config `yaml:",inline"`
	Instruct    instruct.Config `yaml:"instruct"`
}

// Validate reports every fault at once.
func (d Data) Validate() error {
	if len(d.Sources) > 0 {
		return errors.Join(errors.New("data.sources are for text: name all files of conversations in data.train, whatever their formats"), d.Instruct.Validate())
	}
	return errors.Join(d.Config.Validate(), d.Instruct.Validate())
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: "instruct",
		Formats: []config.Choice{{Name: Format, New: func() any {
			return &Data{Config: data.Config{Format: data.FormatText, TextKey: "text", BOS: true}, Instruct: instruct.Default()}
		}}},
		Check: check, Design: design, Open: open, Inspect: inspect,
	}
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, err := text.Design(ctx, env)
	if err != nil {
		return nil, err
	}
	j.Reading = reading(env.Config)
	return j, nil
}

// reading is what the conversations take of memory.
func reading(c config.Config) data.Memory {
	d, ok := c.Data.Value().(*Data)
	if !ok {
		return data.Memory{}
	}
	paths, held, err := d.Files()
	if err != nil {
		return data.Memory{}
	}
	return instruct.Memory(append(paths, held...), d.Encoding, c.Length())
}

func check(c config.Config) error {
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

// Read encodes the conversations of env for a model of that identity, whose chat
// template is taken if the configuration names none. known is what the run has trained
// on and holds out already, nil for nothing.
func Read(ctx context.Context, env recipe.Env, tokens data.Tokenizer, id hub.Identity, known *data.Ledger) (*Conversations, error) {
	c := env.Config
	d, ok := c.Data.Value().(*Data)
	if !ok {
		return nil, fmt.Errorf("data.format is %s; conversations are of format %s", c.Data.Name(), Format)
	}
	encoder, err := text.Conversing(env, &d.Instruct, tokens, &id)
	if err != nil {
		return nil, err
	}
	in := &Conversations{Config: d.Instruct, Encoder: encoder}
	if err := in.read(ctx, d, env, known); err != nil {
		return nil, err
	}
	in.Pad = text.EndTurns(&id, in.Train.EndTokens())
	in.Identity = id
	return in, nil
}

func (in *Conversations) read(ctx context.Context, d *Data, env recipe.Env, known *data.Ledger) error {
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

// tell says what of the records is not learnt: keys that nothing reads, and answers that
// say nothing.
func (in *Conversations) tell(env recipe.Env) {
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
func heldOutFault(d *Data, known *data.Ledger, err error) error {
	switch {
	case !errors.Is(err, instruct.ErrNone) || d.Validation == 0:
		return fmt.Errorf("held-out conversations: %w", err)
	case known != nil:
		return config.Faultf("data.validation %v holds nothing out: the run has trained on all of these conversations; add some that it does not know, or name data.validation_paths", d.Validation)
	}
	return config.Faultf("data.validation %v holds nothing out: all conversations have the same answer; add some, or name data.validation_paths", d.Validation)
}

// open encodes the conversations and packs them into batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	known, err := text.Ledger(env)
	if err != nil {
		return nil, err
	}
	in, err := Read(ctx, env, tokens, id, known)
	if err != nil {
		return nil, err
	}
	split, err := text.KeepLedger(env, known, in.Ledger)
	if err != nil {
		return nil, err
	}
	in.tell(env)
	j, err := text.New(ctx, env, tokens, in.Identity)
	if err != nil {
		return nil, err
	}
	j.Reading = reading(env.Config)
	j.Split = split
	j.Next = func(model string) string { return shell.Command("gotrain", "chat", "--model", model) }
	if in.Config.Date != "" {
		j.Facts = append(j.Facts, ranks.Fact{Name: "data.instruct.date", Value: in.Config.Date, Cure: "set it, where nodes begin on different days"})
	}
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: fmt.Sprintf("%+v", in.Train.Stats()), Cure: "data.paths have to name the same content on all nodes"})
	return j, in.batches(env, j, tokens)
}

// batches gives the job its sources.
func (in *Conversations) batches(env recipe.Env, j *recipe.Job, tokens data.Tokenizer) error {
	c, packing := env.Config, in.Config.Packing
	if s := in.Train.Stats(); env.Held {
		env.Telling("conversations", "%d, %d tokens, %d of them answers; %d truncated, %d dropped", s.Examples, s.Tokens, s.Counted, s.Truncated, s.Dropped)
	} else {
		loader, err := instruct.NewLoader(in.Train, data.LoaderConfig{Sequences: c.Sequences(c.TrainRows()), Seed: c.Run.Seed}, packing, in.Pad)
		if err != nil {
			return err
		}
		j.Train, j.TrainUnits, j.Epoch = loader, loader.Tokens(), uint64(loader.Epoch())
		env.Telling("conversations", "%d, %d tokens, %d of them trained; %d truncated, %d dropped; rows full to %.1f%%",
			s.Examples, s.Tokens, s.Counted, s.Truncated, s.Dropped, 100*loader.Density())
	}
	if in.Validation != nil {
		eval, err := instruct.NewEval(in.Validation, c.Sequences(c.EvalRows()), packing, in.Pad, tokens)
		if err != nil {
			return err
		}
		j.Eval, j.EvalUnits = eval, eval.Tokens()
	}
	return text.CheckEval(c, j.Eval)
}
