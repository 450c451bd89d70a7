package bootstrap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"example.com/gotrain/data/chat"
)

// Magpie lets a model that was tuned on conversations say what a user would (Xu et al. 2024): its
// prompt is the chat template up to where the user speaks. It needs no seeds.
type Magpie struct {
	Prefix    string // see UserPrefix
	MaxTokens int
}

// sentinel is what no template has.
const sentinel = "GOTRAIN-USER-SPEAKS-HERE"

// UserPrefix is the text of a template before what a user says first.
func UserPrefix(t *chat.Template, vars chat.Vars) (string, error) {
	text, err := t.Render([]chat.Message{{Role: chat.User, Content: sentinel}}, vars)
	if err != nil {
		return "", err
	}
	before, _, ok := strings.Cut(text, sentinel)
	if !ok || strings.TrimSpace(before) == "" {
		return "", errors.New("the chat template " + t.Name() + " has nothing before what a user says, so that the model can't be asked for it")
	}
	return before, nil
}

// Name is that of the method.
func (Magpie) Name() string { return "magpie" }

// NeedsSeeds is false.
func (Magpie) NeedsSeeds() bool { return false }

// Begin shows the beginning of a user's turn.
func (m Magpie) Begin(*rand.Rand, *Pool) Draft { return Draft{tells: m.Prefix} }

// Stages are what the user says, and the answer.
func (m Magpie) Stages() []Stage {
	return []Stage{{"ask", func(d *Draft) Prompt {
		return Prompt{Text: d.tells, Form: Rendered, MaxTokens: m.MaxTokens}
	}, func(d Draft, a Answer) []Draft {
		if d.Instruction = strings.TrimSpace(a.Text); !a.Ended {
			d.reject(Unfinished, "what the user says")
		}
		return []Draft{d}
	}}, answerStage(m.MaxTokens)}
}

// Methods are the names of all methods.
func Methods() []string {
	return []string{SelfInstruct{}.Name(), Evolve{}.Name(), Textbook{}.Name(), Magpie{}.Name()}
}

// Open is the method of a name; prefix, which Magpie needs, is the text before what a user says.
func Open(name string, maxTokens int, prefix string) (Method, error) {
	switch name {
	case SelfInstruct{}.Name():
		return SelfInstruct{maxTokens}, nil
	case Evolve{}.Name():
		return Evolve{maxTokens}, nil
	case Textbook{}.Name():
		return Textbook{maxTokens}, nil
	case Magpie{}.Name():
		return Magpie{prefix, maxTokens}, nil
	}
	return nil, fmt.Errorf("there is no method %q; use %s", name, strings.Join(Methods(), ", "))
}
