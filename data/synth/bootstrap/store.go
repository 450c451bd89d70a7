package bootstrap

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/vfs"
)

// Files of a directory.
const (
	RecordsFile  = "records.jsonl"  // what is kept
	RejectedFile = "rejected.jsonl" // what is not, with the reason
	stateFile    = "state.json"     // how far it is; written last
	answersFile  = "answers.jsonl"  // of the round that goes on
	lockFile     = "lock"
)

// made is what a directory is made with: whoever goes on has the same.
type made struct {
	Method string `json:"method"`
	Seeds  string `json:"seeds"` // hash
	Seed   uint64 `json:"seed"`
	Round  int    `json:"round"`
	About  About  `json:"author"`
	Filter Filter `json:"filter"`
}

// state is where a run stands after a round.
type state struct {
	Made     made           `json:"made"`
	Rounds   int            `json:"rounds"`
	Barren   int            `json:"rounds_without_record"`
	Records  int64          `json:"records_bytes"`
	Dropped  int64          `json:"rejected_bytes"`
	Kept     int            `json:"kept"`
	Rejected map[Reason]int `json:"rejected"`
}

// store is the directory of a run. After each round it appends what is kept and what is rejected,
// and replaces the state; what stands behind the sizes that the state has is cut off by whoever
// goes on. The answers of the round are appended as they come, so that they aren't asked for again.
type store struct {
	fs      vfs.FS
	dir     string
	lock    io.Closer
	state   state
	records []Record // that were there
	answers map[string]Answer
	journal vfs.File
}

// known is a line of answersFile.
type known struct {
	Round int    `json:"round"`
	Key   string `json:"key"`
	Answer
}

// open opens or makes the directory.
func open(fsys vfs.FS, cfg Config, seeds []Task, about About) (*store, error) {
	s := &store{fs: fsys, dir: cfg.Dir, answers: map[string]Answer{}}
	s.state.Rejected = map[Reason]int{}
	s.state.Made = made{Method: cfg.Method.Name(), Seeds: hashSeeds(seeds), Seed: cfg.Seed, Round: cfg.Round, About: about, Filter: cfg.Filter}
	if err := vfs.MkdirAll(fsys, cfg.Dir); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(s.path(lockFile))
	if err != nil {
		return nil, fmt.Errorf("%s: another process makes records here: %w", cfg.Dir, err)
	}
	s.lock = lock
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// begin goes on from the state that is there, or writes the first.
func (s *store) begin() error {
	raw, err := vfs.ReadFile(s.fs, s.path(stateFile), 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, name := range []string{RecordsFile, RejectedFile} {
			if info, err := s.fs.Stat(s.path(name)); err == nil && info.Size() > 0 {
				return fmt.Errorf("%s is there without %s, which says what made it: use another directory", s.path(name), stateFile)
			}
		}
		err = s.write()
	case err == nil:
		err = s.resume(raw)
	}
	if err != nil {
		return err
	}
	if err := s.readAnswers(); err != nil {
		return err
	}
	s.journal, err = s.fs.OpenAppend(s.path(answersFile))
	return err
}

func (s *store) path(name string) string { return filepath.Join(s.dir, name) }

// Close gives the directory to others.
func (s *store) Close() error {
	var err error
	if s.journal != nil {
		err = s.journal.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// resume takes the state of an earlier run, cuts off what it has not finished, and reads its records.
func (s *store) resume(raw []byte) error {
	asked := s.state.Made
	if err := json.Unmarshal(raw, &s.state); err != nil {
		return fmt.Errorf("%s: %w", s.path(stateFile), err)
	}
	if s.state.Rejected == nil {
		s.state.Rejected = map[Reason]int{}
	}
	if differ := differences(s.state.Made, asked); len(differ) > 0 {
		return fmt.Errorf("%s was made otherwise: %s; use the same, or another directory", s.dir, strings.Join(differ, "; "))
	}
	for name, size := range map[string]int64{RecordsFile: s.state.Records, RejectedFile: s.state.Dropped} {
		if err := s.cut(name, size); err != nil {
			return err
		}
	}
	if s.state.Records == 0 {
		return nil
	}
	file, err := s.fs.Open(s.path(RecordsFile))
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := json.NewDecoder(bufio.NewReader(file)); ; {
		var r Record
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s, record %d: %w", s.path(RecordsFile), len(s.records)+1, err)
		}
		s.records = append(s.records, r)
	}
	if len(s.records) != s.state.Kept {
		return fmt.Errorf("%s has %d records, %s says %d: it was changed; use another directory", s.path(RecordsFile), len(s.records), stateFile, s.state.Kept)
	}
	return nil
}

// differences lists what a directory was made with otherwise.
func differences(was, is made) (list []string) {
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		x, _ := json.Marshal(a.Field(i).Interface())
		y, _ := json.Marshal(b.Field(i).Interface())
		if !bytes.Equal(x, y) {
			list = append(list, fmt.Sprintf("%s %s, not %s", a.Type().Field(i).Tag.Get("json"), x, y))
		}
	}
	return list
}

// cut makes a file as long as the state says.
func (s *store) cut(name string, size int64) error {
	info, err := s.fs.Stat(s.path(name))
	if errors.Is(err, fs.ErrNotExist) && size == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("%s has %d bytes, %s says %d: it was changed; use another directory", s.path(name), info.Size(), stateFile, size)
	}
	file, err := s.fs.OpenAppend(s.path(name))
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Close())
}

// readAnswers takes what was answered of the round, and begins the file anew without the rest.
func (s *store) readAnswers() error {
	raw, err := vfs.ReadFile(s.fs, s.path(answersFile), 1<<32)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	for text := range bytes.Lines(raw[:whole]) {
		var k known
		if json.Unmarshal(text, &k) == nil && k.Round == s.state.Rounds {
			s.answers[k.Key] = k.Answer
		}
	}
	return s.cut(answersFile, int64(whole))
}

// key names a call of the round by its prompt, too.
func key(stage, call int, p Prompt) string {
	return fmt.Sprintf("%d/%d/%d/%016x", stage, call, p.Seed, xxh3.HashString(p.Whole()))
}

// answer is that of a call, if it came before the run was killed.
func (s *store) answer(stage, call int, p Prompt) (Answer, bool) {
	a, ok := s.answers[key(stage, call, p)]
	return a, ok
}

// remember keeps an answer until the end of the round.
func (s *store) remember(stage, call int, p Prompt, a Answer) error {
	text, err := line(known{s.state.Rounds, key(stage, call, p), a})
	if err == nil {
		_, err = s.journal.Write(text)
	}
	return err
}

// finish ends a round: drafts without a reason are those that are kept.
func (s *store) finish(kept []Record, drafts []Draft) error {
	var records, rejected bytes.Buffer
	for _, r := range kept {
		text, err := line(r)
		if err != nil {
			return err
		}
		records.Write(text)
	}
	for _, d := range drafts {
		if d.Reason == "" {
			continue
		}
		s.state.Rejected[d.Reason]++
		text, err := line(struct {
			Reason Reason `json:"reason"`
			Why    string `json:"why,omitempty"`
			Record
		}{d.Reason, d.why, d.Record})
		if err != nil {
			return err
		}
		rejected.Write(text)
	}
	err := errors.Join(s.append(RecordsFile, records.Bytes()), s.append(RejectedFile, rejected.Bytes()))
	if err != nil {
		return err
	}
	s.state.Rounds++
	s.state.Records += int64(records.Len())
	s.state.Dropped += int64(rejected.Len())
	s.state.Kept += len(kept)
	if s.state.Barren++; len(kept) > 0 {
		s.state.Barren = 0
	}
	if err := s.write(); err != nil {
		return err
	}
	clear(s.answers)
	return s.journal.Truncate(0)
}

// append adds to a file and syncs it.
func (s *store) append(name string, text []byte) error {
	file, err := s.fs.OpenAppend(s.path(name))
	if err != nil {
		return err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// write replaces the state.
func (s *store) write() error {
	return vfs.WriteFile(s.fs, s.path(stateFile), func(w io.Writer) error {
		text := json.NewEncoder(w)
		text.SetEscapeHTML(false)
		text.SetIndent("", "  ")
		return text.Encode(s.state)
	})
}

func hashSeeds(seeds []Task) string {
	h := xxh3.New()
	for _, s := range seeds {
		fmt.Fprintf(h, "%q %q %q %v\n", s.Instruction, s.Input, s.Output, s.Class != nil && *s.Class)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
