package forecast

import (
	"strings"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
)

// Memory is the memory of a run by category, in bytes.
type Memory struct {
	Parameters int64 `json:"parameters"` // in bfloat16 on a GPU with the copies that products read
	Optimizer  int64 `json:"optimizer"`
	Gradients  int64 `json:"gradients"` // kept between micro-batches
	Caches     int64 `json:"caches"`    // of what shows samples: keys and values
	Carried    int64 `json:"carried"`   // what steps hand on: memories of earlier segments, running statistics
	Arena      int64 `json:"arena"`     // activations, other gradients and scratch of the largest program
	Inputs     int64 `json:"inputs"`    // inputs and constant tables
	Products   int64 `json:"products"`  // packing buffers of the matrix product; on a GPU the scratch of cuBLASLt
	Process    int64 `json:"process"`   // this program without a model: measured now
	Heap       int64 `json:"heap"`      // text, tokens and checkpoints in passing: estimated
	Snapshot   int64 `json:"snapshot"`  // what asynchronous saves write from; of the host's memory on a GPU too
	Driver     int64 `json:"driver"`    // context of the GPU's driver, compiled kernels, NCCL of several ranks: estimated
	Total      int64 `json:"total"`     // the most resident memory of the run; on a GPU, of its memory
}

// driverMemory is what the driver keeps on a GPU for a process, about: 500 MB on
// an H100.
const driverMemory = 480 << 20

// ncclMemory is what NCCL keeps on each GPU of several, its buffers for some tens of
// channels: a guess to stay clear of, until it is measured.
const ncclMemory = 512 << 20

// What Go's heap holds besides: text in passing, and buffers through which a
// checkpoint of some size goes to the disk.
const (
	textHeap = 6 << 20
	saveHeap = 8 << 20 // at most
)

// MemoryOf sums what the programs hold on d, the device of a run alone or of one of
// its ranks: on the CPU in a process that holds base without them.
// What the data of the job takes in passing it takes before the programs have theirs.
func MemoryOf(programs *engine.Programs, ranks int, d device.Device, base int64, job *recipe.Job) Memory {
	m := Memory{Arena: programs.Arena(), Snapshot: programs.Snapshot}
	for _, b := range programs.Bindings() {
		m.Inputs += b.Inputs + b.Tables
	}
	tools := programs.ToolStates()
	for _, v := range programs.States() {
		switch {
		case tools[v.Name]:
			m.Caches += v.Bytes()
		case strings.HasPrefix(v.Name, "grad."):
			m.Gradients += v.Bytes()
		case ir.IsMemory(v.Name), ir.IsRunning(v.Name):
			m.Carried += v.Bytes()
		case optim.IsState(v.Name):
			m.Optimizer += v.Bytes()
		default:
			m.Parameters += v.Bytes()
		}
	}
	if d.Card != nil {
		m.Products, m.Driver = d.Reserved(), driverMemory
		if ranks > 1 {
			m.Driver += ncclMemory
		}
	} else {
		m.Products, m.Process = min(d.Reserved(), m.Arena), base
		m.Heap = textHeap + job.Reading.Kept + min(saveHeap, m.Parameters+m.Optimizer)
	}
	m.Total = m.Parameters + m.Optimizer + m.Gradients + m.Caches + m.Carried + m.Arena + m.Inputs + m.Products + m.Process + m.Heap + m.Driver
	if d.Card == nil {
		m.Total += m.Snapshot
		if more := m.Process + job.Reading.Passing - m.Total; more > 0 {
			m.Heap, m.Total = m.Heap+more, m.Total+more
		}
	}
	return m
}
