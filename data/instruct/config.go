package instruct

import (
	"errors"
	"fmt"
	"slices"
	"time"
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
	// Date is what strftime_now of a template formats, as 2026-11-30 or 2026-11-30T14:05:09. Empty is the day on which a run
	// begins, which its config.yaml then has, so that it goes on with the same tokens on any other day.
	Date string `yaml:"date"`
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

// ParseDate reads a date, or a date and a time of day: 2026-11-30 or 2026-11-30T14:05:09. "" is the zero time.
func ParseDate(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date; write it as 2026-11-30, or with a time as 2026-11-30T14:05:09", s)
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
	if _, err := ParseDate(c.Date); err != nil {
		faults = append(faults, fmt.Errorf("data.instruct.date: %w", err))
	}
	if c.MaxExamples < 0 {
		faults = append(faults, fmt.Errorf("data.instruct.max_examples is %d; use 0 for all", c.MaxExamples))
	}
	return errors.Join(faults...)
}
