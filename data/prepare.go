package data

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/zeebo/xxh3"
)

// Doing is what is done before the first step.
type Doing uint8

const (
	Encoding   Doing = iota // text becomes tokens
	Looking                 // files are read to know whether they are as they were
	Fitting                 // a tokenizer is fitted
	Conversing              // conversations become tokens
)

// Progress is the state of what is done before the first step.
type Progress struct {
	Doing     Doing
	File      string // the last one finished with, in part
	Files     int    // all files
	Finished  int    // those before File
	DiskBytes int64  // of all files, compressed where they are; of Looking those that were read
	TextBytes int64  // done
	Tokens    int64  // done
	Documents int64  // done
	Merges    int    // of Fitting: made, 0 while text is read
	Total     int    // then: those wanted
}

// Prepared is a corpus as tokens.
type Prepared struct {
	Train      *Set
	Validation *Set   // nil when the Config holds out nothing
	Dir        string // the directory of the shards, "" for files of tokens
	Reused     bool   // the shards were there
	Rebuilt    error  // why shards that were there had to be made again, nil if not
	// Ledger has the side of each text; of files of tokens it only identifies them.
	Ledger *Ledger

	// Parts are the sources of Config.Sources, nil without; Train and Validation have them one behind the other.
	Parts []Part

	files   [2][]sourceFile // by side
	release func()          // lets go of the lock on the shards; nil for none
}

// Part is a source of what was prepared.
type Part struct {
	Name   string
	Weight float64 // 0 for none: the source is as much as it is long
	*Prepared
}

// Windowed is a source of training batches that knows how long a pass is.
type Windowed interface {
	Source
	Windows() uint64 // samples of a pass
}

// Batches cuts what is trained on into batches: by a [Loader], or of several sources by a [Mixture].
func (p *Prepared) Batches(cfg LoaderConfig) (Windowed, error) {
	if p.Parts == nil {
		return NewLoader(p.Train, cfg)
	}
	return newMixture(p.Parts, cfg)
}

// Close closes both sets.
func (p *Prepared) Close() error {
	var errs []error
	for _, part := range p.Parts {
		errs = append(errs, part.Close())
	}
	for _, set := range []*Set{p.Train, p.Validation} {
		if set != nil && p.Parts == nil {
			errs = append(errs, set.Close())
		}
	}
	if p.release != nil {
		p.release()
		p.release = nil
	}
	return errors.Join(errs...)
}

// Prepare tokenizes the corpus of cfg into shards, or opens those that an earlier call made.
//
// The shards lie in a directory of the cache named by a hash of the content of all files in order, the settings that
// matter and the tokenizer's fingerprint. It appears at once, by renaming, when all of it is on disk: an error, a crash or
// a full disk leaves no part of it, and of several processes that prepare the same text one does and the others wait for
// it. Damaged shards are made again. progress, if not nil, is called on this goroutine about every 256 KiB of text, and while files are
// looked at every few MiB.
func Prepare(ctx context.Context, cfg Config, enc Encoder, progress func(Progress)) (*Prepared, error) {
	corpus, err := OpenCorpus(cfg)
	if err != nil {
		return nil, err
	}
	if enc.EndOfText() < 0 || int(enc.EndOfText()) >= enc.VocabSize() {
		return nil, fmt.Errorf("data: the tokenizer's end-of-text token %d is outside its vocabulary of %d", enc.EndOfText(), enc.VocabSize())
	}
	if corpus.parts != nil {
		return prepareSources(ctx, corpus, enc, progress)
	}
	return prepare(ctx, corpus, enc, progress)
}

// prepare is Prepare for a corpus without sources.
func prepare(ctx context.Context, corpus *Corpus, enc Encoder, progress func(Progress)) (*Prepared, error) {
	if corpus.cfg.Format.tokens() {
		return openShards(corpus, enc)
	}
	p := &preparation{corpus: corpus, enc: enc, progress: progress, create: createShard}
	return p.run(ctx)
}

// prepareSources prepares one source after the other, each as if it were alone: one that was prepared before is reused
// whatever stands beside it.
func prepareSources(ctx context.Context, corpus *Corpus, enc Encoder, progress func(Progress)) (p *Prepared, err error) {
	p = &Prepared{Reused: true}
	defer func() {
		if err != nil {
			p.Close()
			p = nil
		}
	}()
	var ledgers []*Ledger
	var train, held []*Set
	for i, source := range corpus.cfg.parts() {
		one, err := prepare(ctx, corpus.parts[i], enc, progress)
		if err != nil {
			return p, fmt.Errorf("source %s: %w", source.name, err)
		}
		p.Parts = append(p.Parts, Part{source.name, source.weight, one})
		p.Reused = p.Reused && (one.Reused || one.Dir == "")
		p.Rebuilt = errors.Join(p.Rebuilt, one.Rebuilt)
		ledgers, train = append(ledgers, one.Ledger), append(train, one.Train)
		if one.Validation != nil {
			held = append(held, one.Validation)
		}
		for side, files := range one.files {
			p.files[side] = append(p.files[side], files...)
		}
	}
	if err := checkCopies(p.files[Train], p.files[Validation]); err != nil {
		return p, err
	}
	p.Ledger = unite(ledgers)
	if p.Train, err = joinSets(train); err == nil && len(held) > 0 {
		p.Validation, err = joinSets(held)
	}
	return p, err
}

// openShards opens the shards, or other files of tokens, that the configuration names.
func openShards(c *Corpus, enc Encoder) (p *Prepared, err error) {
	p = &Prepared{}
	defer func() {
		if err != nil {
			p.Close()
			p = nil
		}
	}()
	open := func(paths []string) (*Set, error) { return OpenSet(paths...) }
	if c.cfg.Format == FormatBin {
		open = func(paths []string) (*Set, error) { return openBins(enc, paths) }
	}
	if p.Train, err = open(c.train); err != nil {
		return p, err
	}
	if len(c.validation) > 0 {
		if p.Validation, err = open(c.validation); err != nil {
			return p, err
		}
	}
	p.Ledger = NewLedger()
	p.Ledger.Plain = headersHash(p.Train, p.Validation)
	p.Ledger.Key = p.Ledger.Plain
	for _, set := range []*Set{p.Train, p.Validation} {
		if set == nil {
			continue
		}
		if !slices.Equal(set.BeginOfText(), enc.BeginOfText()) {
			return p, settingf("data: documents of shard %s begin with tokens %d, those of the run with %d (prepare the text again, or set data.bos to what it was prepared with)",
				set.shards[0].path, set.BeginOfText(), enc.BeginOfText())
		}
		if set.Tokenizer() != enc.Fingerprint() {
			return p, settingf("data: shard %s was made with tokenizer %s, the run has %s (use that tokenizer, or prepare the text again)",
				set.shards[0].path, set.Tokenizer(), enc.Fingerprint())
		}
	}
	if c.cfg.Format == FormatBin {
		for side, set := range []*Set{p.Train, p.Validation} {
			for _, shard := range set.list() {
				p.files[side] = append(p.files[side], sourceFile{Path: shard.path, Size: shard.Tokens, Hash: shard.Source})
			}
		}
		return p, checkCopies(p.files[Train], p.files[Validation])
	}
	return p, nil
}

// headersHash identifies shards by what their headers say.
func headersHash(sets ...*Set) string {
	hash := xxh3.New()
	for _, set := range sets {
		if set == nil {
			continue
		}
		fmt.Fprintln(hash, len(set.shards))
		for _, shard := range set.shards {
			fmt.Fprintf(hash, "%+v\n", shard.Header)
		}
	}
	sum := hash.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// lockPoll is the pause between attempts to take the lock of another process.
const lockPoll = 100 * time.Millisecond

// preparation is one call of Prepare.
type preparation struct {
	corpus   *Corpus
	enc      Encoder
	progress func(Progress)
	create   func(path string) (shardFile, error)

	cache string       // the cache directory
	files []sourceFile // training files, then validation files
	plain string       // the key of these files and settings without a ledger
	key   string       // the name of the prepared directory
}

func (p *preparation) run(ctx context.Context) (prepared *Prepared, err error) {
	if p.cache, err = p.corpus.cfg.cacheDir(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.cache, 0o777); err != nil {
		return nil, settingf("data: cache directory: %w (set cache_dir to a directory that can be written)", err)
	}
	paths := append(append([]string{}, p.corpus.train...), p.corpus.validation...)
	if p.files, err = hashFiles(ctx, paths, p.cache, p.progress); err != nil {
		return nil, err
	}
	train, held := p.files[:len(p.corpus.train)], p.files[len(p.corpus.train):]
	if err := checkCopies(train, held); err != nil {
		return nil, err
	}
	defer func() {
		if prepared != nil {
			prepared.files = [2][]sourceFile{train, held}
			p.recount(prepared)
		}
	}()
	p.identify()
	final := filepath.Join(p.cache, p.key)
	if prepared, err := openPrepared(final, p.key); err == nil {
		return prepared, nil
	}
	unlock, locked, err := lockFile(final+".lock", ctx.Err)
	if err != nil {
		return nil, fmt.Errorf("data: lock of the cache: %w", err)
	}
	defer unlock()
	// Another process may have finished, or only this one is looking at what is there now.
	prepared, damage := openPrepared(final, p.key)
	if damage == nil {
		return prepared, nil
	}
	missing := errors.Is(damage, errNotPrepared)
	if !missing && !repairable(damage) {
		return nil, damage
	}
	if locked {
		p.sweep()
	}
	if err := p.build(ctx, final); err != nil {
		return nil, err
	}
	if prepared, err = openPrepared(final, p.key); err != nil {
		return nil, err
	}
	prepared.Reused = false
	if !missing {
		prepared.Rebuilt = damage
	}
	return prepared, nil
}

// checkCopies reports a training file with the content of a validation file.
func checkCopies(train, held []sourceFile) error {
	trained := make(map[string]string)
	for _, file := range train {
		trained[file.Hash] = file.Path
	}
	for _, file := range held {
		if copied, ok := trained[file.Hash]; ok && file.Size > 0 {
			return settingf("data: the validation file %s is a copy of the training file %s (held-out text must not be trained on)", file.Path, copied)
		}
	}
	return nil
}

// identify finds the keys of what is prepared.
func (p *preparation) identify() {
	p.plain = p.fingerprint()
	p.key = p.corpus.cfg.Known.key(p.plain, p.corpus.cfg.Validation > 0 || len(p.corpus.validation) > 0)
}

// fingerprint hashes everything that the shards depend on but what a ledger knows.
func (p *preparation) fingerprint() string {
	cfg := p.corpus.cfg
	hash := xxh3.New()
	fmt.Fprintf(hash, "shards %d split 3 seams\n%q %q %v %d\n", shardVersion, cfg.Format, cfg.TextKey, cfg.Validation, cfg.ShardTokens)
	fmt.Fprintf(hash, "%q %d %d\n", p.enc.Fingerprint(), p.enc.VocabSize(), p.enc.EndOfText())
	if begin := p.enc.BeginOfText(); len(begin) > 0 {
		fmt.Fprintf(hash, "begin %d\n", begin)
	}
	if name := charsetName(cfg.Encoding); name != "utf-8" {
		fmt.Fprintf(hash, "encoding %s\n", name)
	}
	fmt.Fprintf(hash, "%d %d\n", len(p.corpus.train), len(p.corpus.validation))
	for _, file := range p.files {
		fmt.Fprintf(hash, "%s %d\n", file.Hash, file.Size)
	}
	sum := hash.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// recount has the ledger of shards that were made without the run's knowledge tell which texts the run knows: all are on the
// sides that they had.
func (p *preparation) recount(prepared *Prepared) {
	known := p.corpus.cfg.Known
	if prepared.Reused && known != nil && (p.key == p.plain || known.keys[p.plain] == p.key) {
		prepared.Ledger.Kept = known.compare(prepared.Ledger)
	}
}

// sweep removes what crashed preparations of the same key left. The caller holds the lock.
func (p *preparation) sweep() {
	left, _ := os.ReadDir(p.cache)
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), ".tmp-"+p.key+"-") {
			os.RemoveAll(filepath.Join(p.cache, entry.Name()))
		}
	}
}

// build writes the shards into a directory of its own and renames it to final, in place of a damaged one.
func (p *preparation) build(ctx context.Context, final string) error {
	temporary := filepath.Join(p.cache, fmt.Sprintf(".tmp-%s-%016x", p.key, rand.Uint64()))
	if err := os.Mkdir(temporary, 0o777); err != nil {
		return fmt.Errorf("data: cache directory: %w (set cache_dir to a directory that can be written)", err)
	}
	defer os.RemoveAll(temporary)
	if err := p.write(ctx, temporary); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return fmt.Errorf("%w (the cache directory %s is on a full disk: free some, or set cache_dir; nothing was left there)", err, p.cache)
		}
		return err
	}
	if err := os.RemoveAll(final); err != nil {
		return fmt.Errorf("data: damaged shards: %w", err)
	}
	err := os.Rename(temporary, final)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil // A process without a lock was faster; its shards are the same.
	}
	if err == nil {
		err = syncDir(p.cache)
	}
	if err != nil {
		return fmt.Errorf("data: cache directory: %w", err)
	}
	return nil
}

// write fills dir with the shards of both splits and the manifest.
func (p *preparation) write(ctx context.Context, dir string) error {
	var sets [2]*setWriter
	for _, split := range []Split{Train, Validation} {
		sets[split] = newSetWriter(dir, p.create, p.corpus.cfg.ShardTokens, split, p.enc, p.key)
		defer sets[split].abort()
	}
	state := Progress{Files: len(p.files)}
	place := make(map[string]int, len(p.files))
	for i, file := range p.files {
		state.DiskBytes += file.Size
		place[file.Path] = i
	}
	ledger := p.corpus.Note()
	ledger.Plain, ledger.Key = p.plain, p.key
	err := tokenize(ctx, p.corpus.Documents(), p.enc, p.corpus.cfg.Workers, func(j *job) error {
		begin := 0
		for i, document := range j.documents {
			if err := sets[document.Split].add(j.tokens[begin:j.ends[i]], len(document.Text), !document.More); err != nil {
				return err
			}
			begin = j.ends[i]
			state.File, state.Finished = document.File, place[document.File]
		}
		state.TextBytes += int64(j.bytes)
		state.Tokens = sets[Train].tokens + sets[Validation].tokens
		state.Documents = sets[Train].documents + sets[Validation].documents
		if p.progress != nil {
			p.progress(state)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := set.finish(); err != nil {
			return err
		}
	}
	for _, file := range p.files {
		if err := file.unchanged(); err != nil {
			return err
		}
	}
	if err := p.checkSides(sets[Train], sets[Validation]); err != nil {
		return err
	}
	ledger.Both = ledger.Sort()
	if err := ledger.save(filepath.Join(dir, ledgerName)); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return writeManifest(dir, manifest{Version: shardVersion, Train: sets[Train].shards, Validation: sets[Validation].shards})
}

// checkSides reports a corpus without text on a side that needs some.
func (p *preparation) checkSides(train, validation *setWriter) error {
	cfg := p.corpus.cfg
	fault := func(format string, args ...any) error { return settingf("data: "+format, args...) }
	switch {
	case train.tokens == 0 && validation.tokens == 0:
		return fmt.Errorf("data: no text in %d files, the first being %s", len(p.files), p.files[0].Path)
	case train.tokens == 0 && cfg.Known != nil:
		return fault("the run holds out all of these texts: add some to train on")
	case train.tokens == 0:
		return fault("validation %v holds out all %d documents (there is one text only, too little to split: add some, or name validation_paths)", cfg.Validation, validation.documents)
	case validation.tokens == 0 && len(cfg.ValidationPaths) > 0:
		return fmt.Errorf("data: no text in the validation files, the first being %s", p.corpus.validation[0])
	case validation.tokens == 0 && cfg.Validation > 0 && cfg.Known != nil:
		return fault("validation %v holds nothing out: the run has trained on all of these texts (add some that it does not know, or name validation_paths)", cfg.Validation)
	case validation.tokens == 0 && cfg.Validation > 0:
		return fault("validation %v holds out none of %d documents (there is one text only, too little to split: add some, or name validation_paths)", cfg.Validation, train.documents)
	}
	return nil
}
