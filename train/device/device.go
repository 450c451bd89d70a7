package device

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/backend"
)

// Device is what a name stands for: the CPU, or a GPU.
type Device struct {
	Threads int           // of the CPU, 0 for all cores
	GPU     int           // counted from 0
	Card    *backend.Card // of the GPU; nil is the CPU
}

// Error says that a device cannot be used as it was asked for.
type Error struct{ Err error }

// Error tells the fault.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the fault itself.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a format.
func Errorf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// CPU is the Index of the CPU.
const CPU = -1

// Index reads a name: CPU, or the number of a GPU; auto may be the first GPU.
func Index(name string) (int, error) {
	switch name {
	case "cpu":
		return CPU, nil
	case "auto", "cuda":
		return 0, nil
	}
	number, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		return 0, Errorf("device is %q; use auto, cpu, cuda or cuda:N", name)
	}
	return n, nil
}

// Find reads a name: auto, cpu, cuda or cuda:N. auto is the first GPU where the
// binary has CUDA and the machine a device, else the CPU.
func Find(name string, threads int) (Device, error) {
	d := Device{Threads: threads}
	index, err := Index(name)
	if err != nil || index == CPU {
		return d, err
	}
	card, err := backend.CardAt(index)
	if name == "auto" && backend.Absent(err) {
		return d, nil
	}
	if err != nil {
		return d, absent(name, err)
	}
	d.GPU, d.Card = index, &card
	return d, nil
}

func absent(name string, err error) error {
	return Errorf("device %s: %w; or use --device cpu", name, err)
}

// GPUs is the number of GPUs here. The error is Absent's where the binary has no
// CUDA or the machine no driver.
func GPUs() (int, error) { return backend.Count() }

// Absent tells whether an error says that there is no GPU to open.
func Absent(err error) bool { return backend.Absent(err) }

// Plan is Find for plans, which need no GPU: one that is not here is the DefaultCard.
func Plan(name string, threads int) (Device, error) {
	d, err := Find(name, threads)
	if err == nil || !strings.HasPrefix(name, "cuda") {
		return d, err
	}
	return OfCard(DefaultCard)
}

// DefaultCard is the card of plans for a machine without one.
const DefaultCard = backend.DefaultCard

// Cards are the names that OfCard knows.
func Cards() []string { return backend.CardNames() }

// OfCard is a GPU to plan for, here or not, by the name of its card.
func OfCard(card string) (Device, error) {
	c, ok := backend.FindCard(card)
	if !ok {
		return Device{}, Errorf("card is %q; use %s", card, strings.Join(Cards(), ", "))
	}
	return Device{Card: &c}, nil
}

// Collectives is what a back end computes the collectives of plans with; the zero one
// is for a process that is alone.
type Collectives struct {
	Group exec.Collectives // of back ends on CPUs
	Comm  *cuda.Comm       // of back ends on GPUs
	// Wait, unless nil, is backend.Config's.
	Wait func(wait func() (computed time.Duration, err error)) error
}

// Open opens the back end that a name stands for. The caller closes it.
func Open(name string, threads int, c Collectives) (exec.Backend, Device, error) {
	index, err := Index(name)
	if err != nil {
		return nil, Device{}, err
	}
	if index != CPU {
		// The back end before the card, whose description alone would open the GPU too.
		b, err := backend.Open(backend.Config{Device: index, Comm: c.Comm, Wait: c.Wait})
		switch {
		case err == nil:
			d, err := Find(name, threads)
			return b, d, err
		case name != "auto" || !backend.Absent(err):
			return nil, Device{}, absent(name, err)
		}
	}
	b, err := cpu.New(cpu.Config{Threads: threads, Ranks: c.Group})
	return b, Device{Threads: threads}, err
}

// Open opens the device's back end for a process that is alone.
func (d Device) Open() (exec.Backend, error) {
	if d.Card != nil {
		return backend.Open(backend.Config{Device: d.GPU})
	}
	return cpu.New(cpu.Config{Threads: d.Threads})
}

// Target is what plans for the device look like. The back end of the CPU knows
// its own from the processor; CUDA's is the same for every card.
func (d Device) Target() (plan.Target, error) {
	if d.Card != nil {
		return backend.Target(), nil
	}
	b, err := d.Open()
	if err != nil {
		return plan.Target{}, err
	}
	return b.Target(), b.Close()
}
