package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gotrain/data"
	"gotrain/data/chat"
	"gotrain/data/instruct"
	"gotrain/nn"
	"gotrain/nn/hub"
)

// DataConfig is the section data: text of any kind, or instructions.
type DataConfig struct {
	data.Config `yaml:",inline"`
	Instruct    instruct.Config `yaml:"instruct"` // with format instruct
}

// FormatInstruct is the data.format of conversations; see package instruct.
const FormatInstruct data.Format = "instruct"

// Validate reports every fault at once.
func (c DataConfig) Validate() error {
	if c.Format != FormatInstruct {
		return c.Config.Validate()
	}
	text := c.Config
	text.Format = data.FormatText
	return errors.Join(text.Validate(), c.Instruct.Validate())
}

// Instructions are the conversations of a configuration as a model reads them.
type Instructions struct {
	Encoder    *instruct.Encoder
	Train      *instruct.Set
	Validation *instruct.Set // nil when nothing is held out
	Pad        int32         // fills rows
	identity   hub.Identity  // with the template, and the tokens that end turns
}

// OpenInstructions encodes the conversations of cfg for the model in dir, a
// checkpoint, whose chat template is taken if the configuration names none; dir
// may be empty.
func OpenInstructions(ctx context.Context, cfg Config, tokens data.Tokenizer, dir string) (*Instructions, error) {
	id := hub.FreshIdentity(tokens, cfg.Text().Context)
	if dir != "" {
		var err error
		if id, err = hub.ReadIdentity(dir, tokens, cfg.Text().Context); err != nil {
			return nil, err
		}
	}
	return openInstructions(ctx, cfg, tokens, id)
}

func openInstructions(ctx context.Context, cfg Config, tokens data.Tokenizer, id hub.Identity) (*Instructions, error) {
	template, err := findTemplate(cfg.Data.Instruct.Template, id.Roles.ChatTemplate)
	if err != nil {
		return nil, err
	}
	id.Roles.ChatTemplate = template.Source()
	in := &Instructions{Encoder: instruct.NewEncoder(tokens, template, chat.Vars{BOS: id.Roles.BOS, EOS: id.Roles.EOS})}
	paths, err := data.ExpandPaths(cfg.Data.Paths)
	if err != nil {
		return nil, err
	}
	conversations, fraction := instruct.Read(paths), cfg.Data.Validation
	sides, err := instruct.Split(conversations, fraction)
	if err != nil {
		return nil, err
	}
	if in.Train, err = instruct.Build(ctx, cfg.Data.Instruct, in.Encoder, cfg.Length(), sides.Side(conversations, false)); err != nil {
		return nil, err
	}
	held := sides.Side(conversations, true)
	if len(cfg.Data.ValidationPaths) > 0 {
		if paths, err = data.ExpandPaths(cfg.Data.ValidationPaths); err != nil {
			return nil, err
		}
		held = instruct.Read(paths)
	}
	if fraction > 0 || len(cfg.Data.ValidationPaths) > 0 {
		if in.Validation, err = instruct.Build(ctx, cfg.Data.Instruct, in.Encoder, cfg.Length(), held); err != nil {
			return nil, fmt.Errorf("held-out conversations: %w", err)
		}
	}
	id.Special = withEnds(id.Special, in.Train.EndTokens())
	if in.Pad = int32(id.Special.PAD); in.Pad < 0 {
		// Any token will do: padding is no target, and no example sees it.
		in.Pad = in.Train.EndTokens()[0]
	}
	in.identity = id
	return in, nil
}

// withEnds adds the tokens that end turns to those that end a text, so that
// generation stops at them.
func withEnds(special nn.SpecialTokens, ends []int32) nn.SpecialTokens {
	special.EOS = slices.Clone(special.EOS)
	for _, id := range ends {
		if !slices.Contains(special.EOS, int(id)) {
			special.EOS = append(special.EOS, int(id))
		}
	}
	return special
}

// findTemplate returns the template that a configuration names, by default the
// model's own.
func findTemplate(name, own string) (*chat.Template, error) {
	switch {
	case strings.HasSuffix(name, ".jinja"):
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("data.instruct.template: %w", err)
		}
		return chat.Parse(filepath.Base(name), string(source))
	case name != "":
		return chat.Named(name)
	case own != "":
		return chat.Parse("the model's own", own)
	}
	return nil, fmt.Errorf("data.instruct.template is empty and the model has no chat template of its own; use one of %s (plain suits any tokenizer)",
		strings.Join(chat.Names(), ", "))
}

// openConversations opens instruction data for training.
func (r *run) openConversations(ctx context.Context) (corpus, error) {
	var c corpus
	in, err := openInstructions(ctx, r.cfg, r.tokenizer, r.identity)
	if err != nil {
		return c, err
	}
	r.identity = in.identity
	packing := r.cfg.Data.Instruct.Packing
	loader, err := instruct.NewLoader(in.Train, data.LoaderConfig{Sequences: r.cfg.sequences(r.cfg.trainRows()), Seed: r.cfg.Run.Seed}, packing, in.Pad)
	if err != nil {
		return c, err
	}
	c.train, c.trainTokens = loader, loader.Tokens()
	s := in.Train.Stats()
	c.fingerprint = fmt.Sprintf("%+v", s)
	left := fmt.Sprintf("%d truncated, %d dropped", s.Truncated, s.Dropped)
	if s.Unanswered > 0 {
		left += fmt.Sprintf(", %d of them without an answer when cut", s.Unanswered)
	}
	if s.Empty > 0 {
		left += fmt.Sprintf(", %d without an answer to learn left out", s.Empty)
	}
	notify(r.deps.Listener.Phase, Phase{"conversations", fmt.Sprintf("%d, %d tokens, %d of them trained; %s; rows full to %.1f%%",
		s.Examples, s.Tokens, s.Counted, left, 100*loader.Density())})
	if len(s.Unread) > 0 {
		notify(r.deps.Listener.Phase, Phase{"not read", "the keys " + strings.Join(s.Unread, ", ") + " of the records"})
	}
	if in.Validation == nil {
		return c, nil
	}
	eval, err := instruct.NewEval(in.Validation, r.cfg.sequences(r.cfg.evalRows()), packing, in.Pad, r.tokenizer)
	if err != nil {
		return c, err
	}
	c.eval, c.evalTokens = eval, eval.Tokens()
	return c, nil
}
