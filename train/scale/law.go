package scale

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// FLOPsPerParameterToken is what a parameter costs a token, forward and backward: C = 6·N·D.
const FLOPsPerParameterToken = 6

// Law is L(N, D) = E + A/N^α + B/D^β, in nats per token (Hoffmann et al. 2022).
type Law struct {
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	E     float64 `json:"e"`
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
}

// Published laws, whose N counts all parameters: the corrected fit of Besiroglu et al.
// 2024 to the points of Hoffmann et al., with some digits of E, α and β beyond those they
// print, without which their optima come out otherwise in the fifth digit; and the two of
// Hoffmann et al. themselves, which do not fit their points: with the digits that their
// source has, and as they rounded it.
var (
	Chinchilla      = Law{A: 482.006, B: 2085.434, E: 1.8168646, Alpha: .34781318, Beta: .36585421}
	HoffmannRounded = Law{A: 406.4, B: 410.7, E: 1.69, Alpha: .34, Beta: .28}
	Hoffmann        = Law{A: math.Exp(6.0073404), B: math.Exp(6.0179186), E: math.Exp(.5267228), Alpha: .33917084, Beta: .2849083}
)

// published are the laws by their names.
var published = map[string]Law{"chinchilla": Chinchilla, "hoffmann": Hoffmann, "hoffmann-rounded": HoffmannRounded}

// Published returns the law of a name.
func Published(name string) (Law, error) {
	law, ok := published[name]
	if !ok {
		return law, fmt.Errorf("there is no published law %q; use %s", name, strings.Join(PublishedNames(), ", "))
	}
	return law, nil
}

// PublishedNames lists the names of published laws.
func PublishedNames() []string {
	var names []string
	for name := range published {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Loss is what N parameters reach on D tokens.
func (l Law) Loss(n, d float64) float64 {
	return l.E + l.A*math.Pow(n, -l.Alpha) + l.B*math.Pow(d, -l.Beta)
}

// Optimal returns the N and D with the lowest loss for C floating-point operations:
// N = G·(C/6)^a with G = (α·A/(β·B))^(1/(α+β)) and a of [Law.Exponent].
func (l Law) Optimal(c float64) (n, d float64) {
	nd := c / FLOPsPerParameterToken
	g := math.Pow(l.Alpha*l.A/(l.Beta*l.B), 1/(l.Alpha+l.Beta))
	n = g * math.Pow(nd, l.Exponent())
	return n, nd / n
}

// Exponent is a of N ∝ C^a, and 1−a that of D.
func (l Law) Exponent() float64 { return l.Beta / (l.Alpha + l.Beta) }

// Tokens is the D for which N parameters are compute-optimal: the marginal losses are
// equal, α·A/N^α = β·B/D^β.
func (l Law) Tokens(n float64) float64 {
	return math.Pow(l.Beta*l.B*math.Pow(n, l.Alpha)/(l.Alpha*l.A), 1/l.Beta)
}

// usable tells whether the law can be computed with: losses fall with N and D.
func (l Law) usable() bool {
	for _, x := range []float64{l.A, l.B, l.Alpha, l.Beta} {
		if !(x > 0) || math.IsInf(x, 1) {
			return false
		}
	}
	return l.E >= 0 && !math.IsInf(l.E, 1)
}

// Count says which parameters N counts.
type Count string

// The counts.
const (
	CountAll  Count = "all"           // every parameter, embeddings and head included
	CountBody Count = "non-embedding" // without tables of tokens and positions and without the head, as Kaplan et al.
)

// Text says it to people.
func (c Count) Text() string {
	switch c {
	case CountAll:
		return "all parameters, embeddings included"
	case CountBody:
		return "parameters without embeddings and head"
	}
	return "parameters as the file counts them"
}
