package instruct

import (
	"errors"
	"fmt"
	"slices"
)

// Values of Config.Loss.
const (
	LossAssistant = "assistant" // all that the assistant says, end-of-turn tokens included
	LossLast      = "last"      // the last answer only
	LossAll       = "all"       // every token but the first
)

// Values of Config.Truncate: what becomes of an example that is longer than a row.
const (
	TruncateDrop  = "drop"  // it is left out
	TruncateLeft  = "left"  // its first tokens are cut off
	TruncateRight = "right" // its last tokens are cut off
)

// Config is the section data.instruct.
type Config struct {
	// Template is the chat template: a shipped one (alpaca, chatml, llama3, plain) or a file that ends with .jinja.
	// Empty is the model's own.
	Template string `yaml:"template"`
	// Loss says which tokens count: assistant, last or all.
	Loss string `yaml:"loss"`
	// Truncate says what becomes of examples that are too long: drop, left or right. An example that would be left
	// without a counted token is dropped.
	Truncate string `yaml:"truncate"`
	// Packing puts several examples into a row. Without it each row holds one.
	Packing bool `yaml:"packing"`
	// MaxExamples bounds the examples that are read, 0 for all.
	MaxExamples int `yaml:"max_examples"`
}

// Default returns the values of keys that a file leaves out.
func Default() Config {
	return Config{Loss: LossAssistant, Truncate: TruncateDrop, Packing: true}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if !slices.Contains([]string{LossAssistant, LossLast, LossAll}, c.Loss) {
		faults = append(faults, fmt.Errorf("data.instruct.loss is %q; use assistant, last or all", c.Loss))
	}
	if !slices.Contains([]string{TruncateDrop, TruncateLeft, TruncateRight}, c.Truncate) {
		faults = append(faults, fmt.Errorf("data.instruct.truncate is %q; use drop, left or right", c.Truncate))
	}
	if c.MaxExamples < 0 {
		faults = append(faults, fmt.Errorf("data.instruct.max_examples is %d; use 0 for all", c.MaxExamples))
	}
	return errors.Join(faults...)
}
