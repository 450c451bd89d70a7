package bootstrap

import (
	"encoding/json"
	"fmt"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
)

// ReadSeeds reads seeds from files: a line of a text each, as an instruction or a topic; or
// records of JSON Lines and tables, of any shape of instruction data, among them self-instruct's
// seed tasks, and objects with a topic.
func ReadSeeds(paths []string) ([]Task, error) {
	var tasks []Task
	for _, path := range paths {
		var err error
		if holdsRecords(path) {
			err = readRecords(path, &tasks)
		} else {
			err = readLines(path, &tasks)
		}
		if err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// holdsRecords tells by a file's name whether it has records or plain text.
func holdsRecords(path string) bool {
	return data.FormatOf(path) != data.FormatText || strings.HasSuffix(data.TrimCompression(strings.ToLower(path)), ".json")
}

func readLines(path string, tasks *[]Task) error {
	lines, err := data.Lines(path, "")
	if err != nil {
		return err
	}
	for i, text := range lines {
		*tasks = append(*tasks, Task{ID: fmt.Sprintf("%s:%d", path, i+1), Instruction: text})
	}
	return nil
}

func readRecords(path string, tasks *[]Task) error {
	for record, err := range instruct.Records([]string{path}, "") {
		if err != nil {
			return err
		}
		var said struct {
			ID    any    `json:"id"`
			Topic string `json:"topic"`
			Class *bool  `json:"is_classification"`
		}
		_ = json.Unmarshal(record.JSON, &said) // what is no object has none of these
		id := record.Source
		if text, ok := said.ID.(string); ok && text != "" {
			id = text
		}
		if said.Topic != "" {
			*tasks = append(*tasks, Task{ID: id, Instruction: said.Topic})
			continue
		}
		task, err := readTask(record)
		if err != nil {
			return err
		}
		task.ID, task.Class = id, said.Class
		*tasks = append(*tasks, task)
	}
	return nil
}

// readTask is the first question of a record and its answer.
func readTask(record instruct.Record) (Task, error) {
	var parts struct {
		Instruction string `json:"instruction"`
		Input       string `json:"input"`
		Output      string `json:"output"`
		Instances   []struct {
			Input  string `json:"input"`
			Output string `json:"output"`
		} `json:"instances"`
	}
	if json.Unmarshal(record.JSON, &parts) == nil && parts.Instruction != "" {
		if len(parts.Instances) > 0 {
			parts.Input, parts.Output = parts.Instances[0].Input, parts.Instances[0].Output
		}
		return Task{Instruction: strings.TrimSpace(parts.Instruction), Input: strings.TrimSpace(parts.Input), Output: strings.TrimSpace(parts.Output)}, nil
	}
	conversations, err := record.Conversations()
	if err != nil {
		return Task{}, err
	}
	var task Task
	for _, m := range conversations[0].Messages {
		switch {
		case m.Role == chat.User && task.Instruction == "":
			task.Instruction = strings.TrimSpace(m.Content)
		case m.Role == chat.Assistant && task.Output == "":
			task.Output = strings.TrimSpace(m.Content)
		}
	}
	if task.Instruction == "" {
		return Task{}, fmt.Errorf("%s: no user asks anything", record.Source)
	}
	return task, nil
}
