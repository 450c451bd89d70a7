package instruct

import (
	"bufio"
	"io"
	"os"
	"runtime"

	"example.com/gotrain/data"
)

// Memory estimates what files of conversations take for rows of so many tokens: their tokens, which stay, and in passing the
// longest record and the conversations that are encoded at a time. It looks for the longest record in the first scanBytes
// of each file. Files that cannot be read take none.
func Memory(paths []string, encoding string, row int) data.Memory {
	var all, longest int64
	for _, path := range paths {
		size, record := measure(path, encoding)
		all, longest = all+size, max(longest, record)
	}
	tokens := all / textPerToken
	encoded := min(int64(runtime.GOMAXPROCS(0))*min(longest, int64(max(dropText, bytesPerToken*row))), all)
	chunk := min(chunkBytes, all)
	kept := tokens * tokenBytes
	return data.Memory{Kept: kept, Passing: 2*kept + recordMemory*longest + encodeMemory*encoded + chunkMemory*chunk}
}

const (
	scanBytes    = 256 << 20
	textPerToken = 3   // bytes of a file for each token
	tokenBytes   = 5   // of a Set
	recordMemory = 4   // for each byte of a record: its line, as it grows, and what is taken out of it
	encodeMemory = 100 // for each byte of the conversations that are encoded at once
	chunkMemory  = 10  // for each byte of those that are encoded one after the other
)

// measure returns the size of a file, decompressed, and of its longest record, each as far as they were looked at.
func measure(path, encoding string) (size, longest int64) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0
	}
	if parquet, err := isParquet(path); err != nil || parquet {
		return info.Size(), data.ParquetPages(path, "")
	}
	if format := data.Tabular(path); format != "" {
		return measureTable(path, format, encoding, info.Size())
	}
	stream, err := data.OpenText(path, encoding)
	if err != nil {
		return 0, 0
	}
	defer stream.Close()
	limited := &io.LimitedReader{R: stream, N: scanBytes}
	r := &recordReader{in: bufio.NewReaderSize(limited, headBytes), path: path, line: 1, count: true}
	array, err := r.isArray()
	if err == nil && array {
		r.in.Discard(1)
	}
	for err == nil && longest < maxRecord {
		r.begin()
		var last bool
		if array {
			var end byte
			end, err = r.readElement()
			last = end == ']'
		} else {
			last, err = r.readLine()
		}
		if longest = max(longest, int64(r.length)); last {
			break
		}
	}
	return max(info.Size(), scanBytes-limited.N), longest
}
