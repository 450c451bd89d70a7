package pairs

import (
	"os"

	"example.com/gotrain/data"
)

// Memory estimates what files of pairs take: their tokens, which stay, and in passing the
// pairs that are encoded at a time. Files that cannot be read take none.
func Memory(paths []string) data.Memory {
	var all int64
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			all += info.Size()
		}
	}
	kept := all / textPerToken * tokenBytes
	return data.Memory{Kept: kept, Passing: 2*kept + min(all, chunkBytes)*chunkMemory}
}

const (
	textPerToken = 3       // bytes of a file for each token
	tokenBytes   = 8       // of a Set: an id, and a pair's part of its description
	chunkBytes   = 4 << 20 // of the pairs that are encoded at a time, about
	chunkMemory  = 10      // for each of these bytes
)
