package prefer

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/data/prefer"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/recipe"
)

// referenceFile holds the log-probabilities of the reference, in the run's directory.
const referenceFile = "reference.bin"

// saveEvery is how many batches of rows lie between two saves while they are computed.
const saveEvery = 64

// reference computes the log-probability of each sequence under the model that a run begins
// with, and keeps them in a file. It is a tool of the job.
type reference struct {
	*parts
	plan    *plan.Plan
	store   *exec.Store
	session *exec.Session

	env      recipe.Env
	template string
	sets     []*prefer.Set
}

func newReference(p *parts) *reference { return &reference{parts: p} }

// keep tells where the file is, and of which sequences it is.
func (r *reference) keep(env recipe.Env, template string, train, held *prefer.Set) {
	r.env, r.template, r.sets = env, template, []*prefer.Set{train}
	if held != nil {
		r.sets = append(r.sets, held)
	}
}

// rows is the size of a batch.
func (r *reference) rows() int {
	rows, _ := r.config.MicroBatches()
	return rows
}

// Plan is part of recipe.Tool.
func (r *reference) Plan(target plan.Target) ([]*plan.Plan, error) {
	g := autograd.NewGraph()
	lowered, err := g.Lower("reference", r.sums(g, r.rows(), false))
	if err != nil {
		return nil, err
	}
	r.plan, err = plan.Build(lowered, plan.Options{Compute: r.config.Compute(), Target: target})
	return []*plan.Plan{r.plan}, err
}

// Bind is part of recipe.Tool.
func (r *reference) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	r.store = store
	r.session, err = exec.NewSession(r.plan, store, arena)
	return err
}

// known are log-probabilities by sequence.
type known map[prefer.Key]float32

// begin gives the sets the log-probabilities of the file. At step 0, where the tool is,
// those that it lacks are computed first; later the parameters have changed.
func (r *reference) begin(ctx context.Context, step int) error {
	path := filepath.Join(r.env.Config.Run.Dir, referenceFile)
	identity := referenceIdentity{Format: 1, Template: hashOf([]byte(r.template)), Precision: string(r.config.Precision)}
	computes := step == 0 && r.session != nil
	if computes {
		var err error
		if identity.Model, err = r.modelHash(); err != nil {
			return err
		}
	}
	found, err := r.load(path, identity)
	if err != nil {
		return err
	}
	keys := make([][]prefer.Key, len(r.sets))
	lacking, all := 0, 0
	for i, set := range r.sets {
		keys[i] = set.Keys()
		for _, key := range keys[i] {
			if _, ok := found[key]; !ok {
				lacking++
			}
			all++
		}
	}
	if lacking > 0 && !computes {
		return fmt.Errorf("%s lacks the log-probabilities of %d of %d answers under the reference, which is the model that the run began with: put the file back (of another run's checkpoint: copy it), or begin anew with --resume none", path, lacking, all)
	}
	if lacking > 0 {
		r.env.Telling("reference", "log-probabilities of %d answers under the model that the run begins with, kept in %s", lacking, path)
		save := func() error { return r.save(path, identity, found) }
		for i, set := range r.sets {
			if err := r.compute(ctx, set, keys[i], found, save); err != nil {
				return errors.Join(err, save())
			}
		}
		if err := save(); err != nil {
			return err
		}
	}
	for i, set := range r.sets {
		logps := make([]float32, len(keys[i]))
		for j, key := range keys[i] {
			logps[j] = found[key]
		}
		if err := set.SetReference(logps); err != nil {
			return err
		}
	}
	return nil
}

// compute adds the log-probabilities of a set to found, a batch of rows at a time, and saves
// them now and then.
func (r *reference) compute(ctx context.Context, set *prefer.Set, keys []prefer.Key, found known, save func() error) error {
	rows, length := r.rows(), r.config.Length()
	size := prefer.Size{Rows: data.Rows{Batch: rows}, Context: length, Micro: rows}
	loader, err := prefer.NewEval(set, size, prefer.LogProbs, true, 0)
	if err != nil {
		return err
	}
	sums := make([]float32, 2*rows*prefer.PerRow(length))
	batch := loader.NewBatch()
	computed := 0
	for first := 0; first < loader.Epoch(); first += rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !lacks(loader, first, rows, keys, found) {
			continue
		}
		if err := loader.Fill(batch, uint64(first)); err != nil {
			return err
		}
		if err := r.run(batch, sums); err != nil {
			return err
		}
		each(loader, first, rows, func(sequence, at int) { found[keys[sequence]] = sums[at] })
		if computed++; computed%saveEvery == 0 {
			if err := save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// each calls f for the sequences of rows from first on, with their places in the sums.
func each(loader *prefer.Loader, first, rows int, f func(sequence, at int)) {
	for row := first; row < min(first+rows, loader.Epoch()); row++ {
		at := (row - first) * 2 * prefer.PerRow(loader.Context)
		for sample := range loader.Held(row) {
			for side := range 2 {
				f(2*sample+side, at)
				at++
			}
		}
	}
}

// lacks tells whether a sequence of the rows is not known.
func lacks(loader *prefer.Loader, first, rows int, keys []prefer.Key, found known) (some bool) {
	each(loader, first, rows, func(sequence, _ int) {
		_, ok := found[keys[sequence]]
		some = some || !ok
	})
	return some
}

// run computes the sums of a batch.
func (r *reference) run(batch *data.Batch, sums []float32) error {
	for _, in := range r.session.Inputs() {
		ints, ok := batch.Ints[in.Name()]
		if !ok {
			return fmt.Errorf("the program of the reference reads %q, which is no field of preferences", in.Name())
		}
		if err := in.SetInts(ints); err != nil {
			return err
		}
	}
	if err := r.session.Run(); err != nil {
		return err
	}
	return r.session.Output(0, sums)
}

// modelHash is a hash of all parameters.
func (r *reference) modelHash() (string, error) {
	h := xxh3.New()
	for _, p := range r.model.Params() {
		state := r.store.Get(p.State())
		if state == nil {
			continue
		}
		content := make([]byte, state.Bytes())
		if err := r.store.ReadBytes(p.State(), content); err != nil {
			return "", err
		}
		h.WriteString(p.Name)
		h.Write(content)
	}
	return sum128(h), nil
}

func hashOf(content []byte) string {
	h := xxh3.New()
	h.Write(content)
	return sum128(h)
}

func sum128(h *xxh3.Hasher) string { return fmt.Sprintf("%x", h.Sum128().Bytes()) }

// referenceIdentity is the first line of the file: what the log-probabilities depend on
// beside the sequences. Model is "" where it is not known, behind step 0.
type referenceIdentity struct {
	Format    int    `json:"format"`
	Model     string `json:"model"`
	Template  string `json:"template"`
	Precision string `json:"precision"`
}

// entryBytes is the size of a log-probability with its key.
const entryBytes = 16 + 4

// save writes the file in one step: a line of JSON, entries in the order of their keys, and
// the hash of all that.
func (r *reference) save(path string, identity referenceIdentity, found known) error {
	head, err := json.Marshal(identity)
	if err != nil {
		return err
	}
	content := append(head, '\n')
	keys := slices.SortedFunc(maps.Keys(found), func(a, b prefer.Key) int { return bytes.Compare(a[:], b[:]) })
	for _, key := range keys {
		content = append(content, key[:]...)
		content = binary.LittleEndian.AppendUint32(content, math.Float32bits(found[key]))
	}
	content = binary.LittleEndian.AppendUint64(content, xxh3.Hash(content))
	return vfs.WriteFile(r.env.FS, path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// load reads the file of the run, or of the one that it goes on from. What was made of
// another model, template or precision is not taken.
func (r *reference) load(path string, identity referenceIdentity) (known, error) {
	found, err := r.read(path, identity)
	if found == nil && err == nil && r.env.From != "" {
		other := filepath.Join(filepath.Dir(filepath.Dir(r.env.From)), referenceFile)
		if found, err = r.read(other, identity); found != nil && other != path && r.session != nil {
			err = r.save(path, identity, found)
		}
	}
	if found == nil {
		found = known{}
	}
	return found, err
}

// read returns what a file holds, nil for nothing that fits.
func (r *reference) read(path string, identity referenceIdentity) (known, error) {
	const limit = 1 << 34
	content, err := vfs.ReadFile(r.env.FS, path, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	body := len(content) - 8
	if body < 0 || binary.LittleEndian.Uint64(content[body:]) != xxh3.Hash(content[:body]) {
		r.env.Telling("note", "%s is damaged: its checksum is another", path)
		return nil, nil
	}
	var was referenceIdentity
	head, entries, _ := bytes.Cut(content[:body], []byte{'\n'})
	if err := json.Unmarshal(head, &was); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if identity.Model == "" {
		identity.Model = was.Model
	}
	if was != identity {
		return nil, nil
	}
	found := known{}
	for entry := range slices.Chunk(entries, entryBytes) {
		if len(entry) == entryBytes {
			found[prefer.Key(entry[:16])] = math.Float32frombits(binary.LittleEndian.Uint32(entry[16:]))
		}
	}
	return found, nil
}
