package synth

import (
	"encoding/json"
	"fmt"
	"go/doc"
	"io"
	"slices"
	"strings"

	"example.com/gotrain/data/chat"
)

// entry is one documented thing.
type entry struct {
	name, text string
	questions  []string // with one %s, the name
}

// The phrasings of questions.
var (
	askPackage = []string{"What is the Go package %s for?", "Describe the Go package %s.", "What does package %s provide?"}
	askFunc    = []string{"What does %s do in Go?", "Explain the Go function %s.", "How does %s work?"}
	askType    = []string{"What is %s in Go?", "Explain the Go type %s.", "What is a %s?"}
)

// minAnswer is the bytes below which a comment is no answer.
const minAnswer = 20

// entries lists what p documents, in order of names.
func entries(p *doc.Package) []entry {
	var all []entry
	add := func(name, comment string, questions []string) {
		if text := strings.TrimSpace(string(p.Text(comment))); len(text) >= minAnswer {
			all = append(all, entry{name, text, questions})
		}
	}
	add(p.ImportPath, p.Doc, askPackage)
	functions := func(list []*doc.Func, prefix string) {
		for _, f := range list {
			add(prefix+f.Name, f.Doc, askFunc)
		}
	}
	functions(p.Funcs, p.Name+".")
	for _, t := range p.Types {
		add(p.Name+"."+t.Name, t.Doc, askType)
		functions(t.Funcs, p.Name+".")
		functions(t.Methods, p.Name+"."+t.Name+".")
	}
	slices.SortStableFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all
}

func (e entry) write(w io.Writer) (int, error) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, question := range e.questions {
		record := struct {
			Messages []chat.Message `json:"messages"`
		}{[]chat.Message{{Role: chat.User, Content: fmt.Sprintf(question, e.name)}, {Role: chat.Assistant, Content: e.text}}}
		if err := encoder.Encode(record); err != nil {
			return 0, err
		}
	}
	return len(e.questions), nil
}
