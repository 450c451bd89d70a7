package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// conversationFormat is the value of --format for conversations.
const conversationFormat = "instruct"

// runConversations scores the answers of conversations, as training scores held-out
// ones.
func (f *evalFlags) runConversations(c *cobra.Command) error {
	env, err := f.heldOut()
	if err != nil {
		return err
	}
	if err := checkPaths(env.Config); err != nil {
		return err
	}
	m, err := f.openLanguage()
	if err != nil {
		return err
	}
	defer m.Close()
	if len(f.data) > 0 {
		if _, _, err := f.openTemplate(m.TokenizerDir()); err != nil {
			return err
		}
	}
	p := console.New(c.ErrOrStderr())
	env.FS, env.Dry, env.Tell = vfs.OS{}, true, p.Listener().Phase
	job, err := table().Open(c.Context(), env)
	p.Clear()
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if job.Eval == nil {
		return usagef("%s holds no conversations out: name some with --data", f.model)
	}
	held, ok := job.Eval.(*instruct.Eval)
	if !ok {
		return fmt.Errorf("%T holds no conversations", job.Eval)
	}
	if held, err = held.Narrow(); err != nil {
		return err
	}
	r, err := f.score(m, func(m *opened) (eval.TextScore, error) {
		m.config.Train.DocumentMask = true
		return eval.Batches(m.config, m.Language, m.Store, held)
	})
	if err != nil {
		return err
	}
	return f.print(c, r, "of answers")
}

// heldOut is what conversations are read with: those of --data, or those that the run has
// held out.
func (f *evalFlags) heldOut() (env recipe.Env, err error) {
	if len(f.data) > 0 {
		env.Held = true // one that is too long loses its beginning
		env.Config, err = conversations(f.data, f.model, f.template, "data.validation=0", fmt.Sprintf("train.batch=%d", f.batch),
			"data.instruct.truncate=left", fmt.Sprintf("data.instruct.date=%q", f.date), fmt.Sprintf("data.encoding=%q", f.encoding))
	} else {
		if f.template != "" || f.date != "" {
			return env, usagef("--template and --date go with --data: the run has its own")
		}
		if env.From, err = hub.FindCheckpoint(f.model); err != nil {
			return env, usagef("eval needs --data, or a run of finetune, which has held some out: --model: %w", err)
		}
		env.Config, _, err = save.ConfigOf(env.From, tables())
		if err == nil && env.Config.Data.Name() != conversationFormat {
			return env, usagef("eval needs --data: %s was not tuned on conversations, of which it could have held some out", f.model)
		}
		env.Config.Train.Batch, env.Config.Train.Context = f.batch, 0
	}
	env.Config.Train.Sample = ""
	return env, err
}
