package data

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/xxh3"
)

// sourceFile is a file's state on disk and the hash of its content then.
type sourceFile struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime_ns"` // since 1970
	Hash    string `json:"xxh3"`     // of the bytes on disk, 128 bits
}

// settle is how long a file must have rested before its hash is remembered: within the granularity of a file system's
// clock a file can change without a new modification time.
const settle = 2 * time.Second

// hashFiles returns the state of each path. It reads only files that differ from what an earlier call with the same
// paths remembered in dir. progress may be nil.
func hashFiles(ctx context.Context, paths []string, dir string, progress func(Progress)) ([]sourceFile, error) {
	names := xxh3.New()
	for _, path := range paths {
		fmt.Fprintf(names, "%q\n", path)
	}
	memory := filepath.Join(dir, fmt.Sprintf("sources-%016x.json", names.Sum64()))
	known := readSources(memory)
	files := make([]sourceFile, len(paths))
	settled := true
	buffer := make([]byte, 1<<20)
	changed := false
	state := Progress{Doing: Looking, Files: len(paths)}
	looked := func(n int) {
		if state.DiskBytes += int64(n); progress != nil {
			progress(state)
		}
	}
	for i, path := range paths {
		state.File, state.Finished = path, i
		now := time.Now()
		file, err := statSource(path)
		if err != nil {
			return nil, err
		}
		if old, ok := known[path]; ok && old.Size == file.Size && old.ModTime == file.ModTime {
			files[i] = old
			continue
		}
		if file.Hash, err = hashFile(ctx, path, buffer, looked); err != nil {
			return nil, err
		}
		files[i] = file
		changed = true
		settled = settled && now.Sub(time.Unix(0, file.ModTime)) > settle
	}
	if changed && settled {
		// Without it, say in a read-only cache, the next call reads the files again.
		_ = writeSources(memory, files)
	}
	return files, nil
}

func statSource(path string) (sourceFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return sourceFile{}, fmt.Errorf("data: %w", err)
	}
	return sourceFile{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano()}, nil
}

// unchanged reports a file that is no longer as it was when it was hashed.
func (f sourceFile) unchanged() error {
	now, err := statSource(f.Path)
	if err != nil {
		return err
	}
	if now.Size != f.Size || now.ModTime != f.ModTime {
		return fmt.Errorf("data: %s changed while it was read (start again when it is complete)", f.Path)
	}
	return nil
}

func hashFile(ctx context.Context, path string, buffer []byte, looked func(n int)) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("data: %w", err)
	}
	defer file.Close()
	hash := xxh3.New()
	for ctx.Err() == nil {
		n, err := file.Read(buffer)
		hash.Write(buffer[:n])
		looked(n)
		if err == io.EOF {
			sum := hash.Sum128().Bytes()
			return hex.EncodeToString(sum[:]), nil
		}
		if err != nil {
			return "", fmt.Errorf("data: %w", err)
		}
	}
	return "", ctx.Err()
}

// readSources returns what writeSources wrote, by path; nothing when it is missing or damaged, for it is only a shortcut.
func readSources(path string) map[string]sourceFile {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var files []sourceFile
	if json.Unmarshal(text, &files) != nil {
		return nil
	}
	known := make(map[string]sourceFile, len(files))
	for _, file := range files {
		known[file.Path] = file
	}
	return known
}

func writeSources(path string, files []sourceFile) error {
	text, err := json.MarshalIndent(files, "", " ")
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".tmp-sources-")
	if err != nil {
		return fmt.Errorf("data: cache directory: %w", err)
	}
	_, err = temporary.Write(text)
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
		return fmt.Errorf("data: cache directory: %w", err)
	}
	return nil
}
