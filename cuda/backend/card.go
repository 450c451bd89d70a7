package backend

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Card is what a forecast must know of a GPU: rates without sparsity, in
// FLOP/s and bytes/s, bytes of memory, and the bytes of shared memory that a block
// can have. Free is 0 for a card that is not there.
type Card struct {
	Name            string
	F32, TF32, BF16 float64
	Bandwidth       float64
	Memory, Free    int64
	Shared          int
}

// cards are NVIDIA's data sheets, and the CUDA Programming Guide's table of shared
// memory by compute capability.
var cards = []Card{
	{"h100-sxm", 66.9e12, 494.7e12, 989.4e12, 3.35e12, 81559 << 20, 0, 227 << 10},
	{"h200", 66.9e12, 494.7e12, 989.4e12, 4.8e12, 143771 << 20, 0, 227 << 10},
	{"b200", 75e12, 1125e12, 2250e12, 7.7e12, 183359 << 20, 0, 227 << 10},
	{"a100-80gb", 19.5e12, 156e12, 311.9e12, 2.039e12, 81920 << 20, 0, 163 << 10},
	{"l40s", 91.6e12, 91.6e12, 183.2e12, 0.864e12, 46068 << 20, 0, 99 << 10},
	{"rtx-4090", 82.6e12, 82.6e12, 165.2e12, 1.008e12, 24564 << 20, 0, 99 << 10},
}

// products pairs what a driver calls a card, its compute capability and number of
// multiprocessors with its data sheet.
var products = []struct {
	words, card       string
	major, minor, sms int
}{
	{"H100 80GB HBM3", "h100-sxm", 9, 0, 132}, {"H200", "h200", 9, 0, 132}, {"B200", "b200", 10, 0, 148},
	{"A100-SXM4-80GB", "a100-80gb", 8, 0, 108}, {"L40S", "l40s", 8, 9, 142}, {"RTX 4090", "rtx-4090", 8, 9, 128},
}

// sheet finds the data sheet of a device. Its name has to have the product's words as
// they are, so that a GH200 is no H200, and the chip and the memory have to be the
// sheet's, the latter about: drivers and ECC keep some.
func sheet(name string, major, minor, sms int, memory int64) (Card, bool) {
	words := strings.Fields(name)
	for _, p := range products {
		want := strings.Fields(p.words)
		named := slices.ContainsFunc(words, func(w string) bool { return w == want[0] }) && strings.Contains(name+" ", p.words+" ")
		c, ok := FindCard(p.card)
		if ok && named && p.major == major && p.minor == minor && p.sms == sms && math.Abs(float64(memory-c.Memory)) < 0.03*float64(c.Memory) {
			return c, true
		}
	}
	return Card{}, false
}

// attention tells whether a card has the kernels of attention of that name. One that is
// not in the table is asked by UseAttention.
func (c Card) attention(name string) error {
	for _, p := range products {
		if p.card == c.Name && name == AttentionHopper && !hopperChip(p.major, p.minor) {
			return fmt.Errorf("cuda.attention: hopper is for compute capability 9.0 (H100, H200); %s has %d.%d: leave the key out", c.Name, p.major, p.minor)
		}
	}
	return nil
}

// DefaultCard is the card of plans for a machine without one.
const DefaultCard = "h100-sxm"

// FindCard returns a card of the table by its name.
func FindCard(name string) (Card, bool) {
	for _, c := range cards {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Card{}, false
}

// CardNames lists the table.
func CardNames() []string {
	names := make([]string, len(cards))
	for i, c := range cards {
		names[i] = c.Name
	}
	return names
}
