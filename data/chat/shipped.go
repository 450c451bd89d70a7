package chat

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed templates/*.jinja
var templates embed.FS

// Names lists the shipped templates:
//
//   - chatml: <|im_start|>role, newline, content, <|im_end|>; OpenAI's, and with it Qwen's and SmolLM2's.
//   - llama3: headers between <|start_header_id|> and <|end_header_id|>, turns that end with <|eot_id|>.
//   - alpaca: Stanford Alpaca's "### Instruction:" and "### Response:", answers that end with eos_token.
//   - plain: "User:" and "Assistant:", answers that end with eos_token; for tokenizers without tokens of their own for chat.
func Names() []string { return []string{"alpaca", "chatml", "llama3", "plain"} }

// Named returns a shipped template.
func Named(name string) (*Template, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("chat template %q is not shipped; use one of %s, or a file that ends with .jinja", name, strings.Join(Names(), ", "))
	}
	source, err := templates.ReadFile("templates/" + name + ".jinja")
	if err != nil {
		return nil, err
	}
	return Parse(name, string(source))
}
