package text

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// Conversing returns what turns conversations into tokens of a model of that identity, with
// the template of its section data.instruct or the model's own, which the identity then has.
// The section gets the date that the template writes.
func Conversing(env recipe.Env, c *instruct.Config, tokens data.Tokenizer, id *hub.Identity) (*instruct.Encoder, error) {
	template, err := findTemplate(c.Template, id.Roles.ChatTemplate)
	if err != nil {
		return nil, err
	}
	id.Roles.ChatTemplate = template.Source()
	date, err := setDate(env, c, template)
	if err != nil {
		return nil, err
	}
	return instruct.NewEncoder(tokens, template, instruct.Variables(id.Roles, date)), nil
}

// EndTurns adds the tokens that end turns, of which there is one, to those that end a text
// of that identity, and returns the token that pads rows.
func EndTurns(id *hub.Identity, ends []int32) (pad int32) {
	id.Special = withEnds(id.Special, ends)
	if id.Special.PAD < 0 {
		// Any token will do: padding is no target, and no example sees it.
		return ends[0]
	}
	return int32(id.Special.PAD)
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

// setDate returns the date that the template may write. Where it does and the configuration d has none, it is that of the
// run whose checkpoint env's run goes on from, else that of today, and the configuration has it from then on.
func setDate(env recipe.Env, d *instruct.Config, template *chat.Template) (time.Time, error) {
	if d.Date == "" && template.Reads("strftime_now") {
		if env.From != "" {
			date, err := dateOf(filepath.Join(filepath.Dir(filepath.Dir(env.From)), "config.yaml"))
			if err != nil {
				return time.Time{}, err
			}
			d.Date = date
		}
		if d.Date == "" {
			d.Date = env.Today().Format(time.DateOnly)
		}
	}
	return instruct.ParseDate(d.Date)
}

// dateOf returns data.instruct.date of the config.yaml of a run, "" where it has none.
func dateOf(file string) (string, error) {
	var run struct {
		Data struct {
			Instruct struct {
				Date string `yaml:"date"`
			} `yaml:"instruct"`
		} `yaml:"data"`
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = yaml.Unmarshal(text, &run)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return run.Data.Instruct.Date, nil
}

// findTemplate returns the template that a configuration names, by default the
// model's own.
func findTemplate(name, own string) (*chat.Template, error) {
	switch {
	case strings.HasSuffix(name, ".jinja"):
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, config.Faultf("data.instruct.template: %w", err)
		}
		return chat.Parse(filepath.Base(name), string(source))
	case name != "":
		t, err := chat.Named(name)
		if err != nil {
			err = config.Faultf("data.instruct.template: %w", err)
		}
		return t, err
	case own != "":
		return chat.Parse("the model's own", own)
	}
	return nil, config.Faultf("data.instruct.template is empty and the model has no chat template of its own; use one of %s (plain suits any tokenizer)",
		strings.Join(chat.Names(), ", "))
}
