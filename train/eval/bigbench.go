package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bigBench is a task.json of BIG-bench (Srivastava et al. 2022): examples of input and
// target, one or several, or target_scores, what each choice is worth. Choices are listed in
// the order of their texts.
var bigBench = Format{
	Name: "bigbench", Tells: [][]string{{"input", "target"}, {"input", "target_scores"}},
	Keys: []string{
		"canary", "name", "description", "keywords", "metrics", "preferred_score", "comment", "task_prefix", "example_input_prefix", "example_output_prefix",
		"choice_prefix", "append_choices_to_input", "few_shot_example_separator", "stop_string",
	},
	Config: bigBenchTask,
	settle: func(c *Config, first Record) {
		_, scores := first.Keys["target_scores"]
		if metric, _ := first.Keys["preferred_score"].(string); !scores || metric == "exact_str_match" && first.Keys["target"] != nil {
			*c = c.written()
		}
		if stop, _ := first.Keys["stop_string"].(string); stop != "" {
			c.Stop = stop
		}
	},
	prepare: func(q *question) error {
		preset := func(key, value string) error {
			if q.Keys[key] == nil {
				q.Keys[key] = value
			}
			_, err := q.text(key)
			return err
		}
		for key, value := range map[string]string{
			"task_prefix": "", "example_input_prefix": "\nQ: ", "example_output_prefix": "\nA: ", "choice_prefix": "\n  choice: ", "few_shot_example_separator": "\n",
		} {
			if err := preset(key, value); err != nil {
				return err
			}
		}
		input, err := q.text("input")
		if err != nil {
			return err
		}
		var choices []string
		var worth []float64
		if scores, ok := q.Keys["target_scores"].(map[string]any); ok {
			if choices, worth, err = q.within("target_scores", scores).scores(); err != nil {
				return err
			}
		}
		text := func(key string) string { return fmt.Sprint(q.Keys[key]) }
		query := text("example_input_prefix") + input
		if listed, ok := q.Keys["append_choices_to_input"].(bool); listed || !ok {
			for _, c := range choices {
				query += text("choice_prefix") + c
			}
		}
		q.Keys["query"] = query + text("example_output_prefix")
		q.glued = true // the prefix of the output ends in a space
		return q.targets(choices, worth, q.Keys["target"])
	},
}

// bigBenchRows is BIG-bench as a table: inputs, targets, multiple_choice_targets and
// multiple_choice_scores.
var bigBenchRows = Format{
	Name: "bigbench", Tells: [][]string{{"inputs", "targets"}}, Keys: []string{"idx", "multiple_choice_targets", "multiple_choice_scores"},
	Config: bigBenchTask,
	settle: func(c *Config, first Record) {
		if list, _ := first.Keys["multiple_choice_targets"].([]any); len(list) == 0 {
			*c = c.written()
		}
	},
	prepare: func(q *question) error {
		input, err := q.text("inputs")
		if err != nil {
			return err
		}
		q.Keys["query"], q.Keys["task_prefix"], q.Keys["few_shot_example_separator"] = input, "", "\n"
		var choices []string
		var worth []float64
		if list, _ := q.Keys["multiple_choice_targets"].([]any); len(list) > 0 {
			if choices, err = q.Record.choices("multiple_choice_targets"); err != nil {
				return err
			}
			scores, err := q.list("multiple_choice_scores")
			if err != nil {
				return err
			}
			if worth, err = numbers(q.Source, scores); err != nil {
				return err
			}
			if len(worth) != len(choices) {
				return fmt.Errorf("%s: %d choices have %d scores", q.Source, len(choices), len(worth))
			}
		}
		return q.targets(choices, worth, q.Keys["targets"])
	},
}

var bigBenchTask = Config{
	Format: "bigbench", Kind: Choice, Choices: "choices", Score: "text", Answer: "answer",
	Intro: "{{.task_prefix}}", Separator: "{{.few_shot_example_separator}}", Prompt: "{{.query}}", Target: "{{.target}}",
}

// written is the task whose answers are generated.
func (c Config) written() Config {
	c.Kind, c.Choices, c.Score, c.Stop, c.MaxTokens = Generate, "", "", "\n", 128
	return c
}

// targets keeps what is right: the choices by what they are worth, and texts, one or a list.
func (q *question) targets(choices []string, worth []float64, right any) error {
	switch v := right.(type) {
	case nil:
	case []any:
		q.expected = texts(v)
	default:
		q.expected = texts([]any{v})
	}
	if len(choices) > 0 {
		q.choices, q.Keys["choices"] = choices, anyOf(choices)
		q.sets = []set{{metric: "multiple_choice_grade", of: upTo(len(choices)), worth: worth}}
		if len(q.expected) == 0 {
			q.expected = []string{choices[slices.Index(worth, slices.Max(worth))]}
		}
	}
	if len(q.expected) == 0 {
		return fmt.Errorf("%s: nothing is right", q.Source)
	}
	q.Keys["target"] = strings.TrimFunc(q.expected[0], isSpace)
	if !q.glued {
		q.Keys["target"] = " " + q.expected[0]
	}
	return nil
}

// scores reads {CHOICE: score}, the choices in the order of their texts.
func (r Record) scores() (choices []string, worth []float64, err error) {
	choices = slices.Sorted(maps.Keys(r.Keys))
	values := make([]any, len(choices))
	for i, c := range choices {
		values[i] = r.Keys[c]
	}
	if len(choices) < 2 || len(choices) > maxChoices {
		return nil, nil, fmt.Errorf("%s: %d choices; a question has 2 to %d", r.Source, len(choices), maxChoices)
	}
	worth, err = numbers(r.Source, values)
	return choices, worth, err
}

// numbers reads a list of numbers.
func numbers(source string, list []any) ([]float64, error) {
	out := make([]float64, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case float64:
			out[i] = v
		case bool:
			if v {
				out[i] = 1
			}
		default:
			return nil, fmt.Errorf("%s: %v is not a number", source, v)
		}
	}
	return out, nil
}
