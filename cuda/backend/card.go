package backend

import "strings"

// Card is what a forecast must know of a GPU: rates without sparsity, in
// FLOP/s and bytes/s, and bytes of memory. Free is 0 for a card that is not
// there.
type Card struct {
	Name            string
	F32, TF32, BF16 float64
	Bandwidth       float64
	Memory, Free    int64
}

// cards are NVIDIA's data sheets.
var cards = []Card{
	{"h100-sxm", 66.9e12, 494.7e12, 989.4e12, 3.35e12, 81559 << 20, 0},
	{"h200", 66.9e12, 494.7e12, 989.4e12, 4.8e12, 143771 << 20, 0},
	{"b200", 75e12, 1125e12, 2250e12, 7.7e12, 183359 << 20, 0},
	{"a100-80gb", 19.5e12, 156e12, 311.9e12, 2.039e12, 81920 << 20, 0},
	{"l40s", 91.6e12, 91.6e12, 183.2e12, 0.864e12, 46068 << 20, 0},
	{"rtx-4090", 82.6e12, 82.6e12, 165.2e12, 1.008e12, 24564 << 20, 0},
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
