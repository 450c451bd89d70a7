package data

import "os"

// Memory is what data takes of the host's memory, in bytes.
type Memory struct {
	Passing int64 // while it is read, before the first step
	Kept    int64 // of it, what stays
}

// Memory estimates what reading and tokenizing the text takes at its peak, whatever the length of its documents:
// jobs in flight with their text and tokens, buffers of files, caches of encoders, and as much again that the garbage
// collector has not freed. It looks at the sizes of the files, of Parquet at the pages of the column; zero where there are none.
func (c Config) Memory() Memory {
	var most Memory
	for _, p := range c.parts() { // one after the other
		m := p.Config.memory()
		most.Passing, most.Kept = max(most.Passing, m.Passing), most.Kept+m.Kept
	}
	return most
}

func (c Config) memory() Memory {
	c = c.withDefaults()
	if c.Format.tokens() {
		return Memory{}
	}
	files, err := ExpandPaths(c.Paths)
	if err != nil {
		return Memory{}
	}
	if held, err := ExpandPaths(c.ValidationPaths); err == nil {
		files = append(files, held...)
	}
	var all, largest, page int64
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return Memory{}
		}
		size := info.Size()
		if isCompressed(name) {
			size *= compression
		}
		all, largest = all+size, max(largest, size)
		if c.Format == FormatParquet {
			page = max(page, ParquetPages(name, c.TextKey))
		}
	}
	if c.Format == FormatParquet {
		all, largest = max(all, compression*all), max(largest, page)
	}
	job := jobBytes + min(maxPiece+cutSlack, largest)
	jobs := min(int64(c.Workers+jobsWaiting)*job, all) * (1 + tokenMemory)
	buffers := min(int64(c.Workers)*encoderMemory+writerMemory, 8*all)
	if largest > maxPiece+cutSlack { // each worker joins a piece with what stands beside it; some become one
		jobs += int64(c.Workers)*(maxPiece+cutSlack) + min(seamWhole+maxPiece, largest)*(1+tokenMemory)
	}
	if c.Format == FormatJSONL {
		buffers += min(2*longLine, 2*largest)
	}
	if c.Format == FormatCSV || c.Format == FormatTSV {
		buffers += min(3*MaxTableRow, 3*largest)
	}
	return Memory{Passing: 2*(jobs+buffers) + 3*page}
}

const (
	compression   = 4        // of compressed text, about
	jobsWaiting   = 4        // jobs beside those that workers have
	tokenMemory   = 5        // bytes of tokens for a byte of text: each may be a token, and buffers grow
	encoderMemory = 16 << 20 // caches and buffers of an encoder
	writerMemory  = 8 << 20  // buffers of shards
)
