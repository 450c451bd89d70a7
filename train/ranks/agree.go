package ranks

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fact is something that has to be the same on all ranks: Name says what, Value is
// short and printable, such as a version or a checksum, Cure what to do when it
// differs.
type Fact struct{ Name, Value, Cure string }

// Agree returns nil on all ranks when all give the same facts, else, on all of
// them, one error that names facts, values, ranks and cures. It is a collective.
func Agree(g Group, facts []Fact) error {
	mine, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	texts, err := Texts(g, string(mine))
	if err != nil {
		return err
	}
	all := make([][]Fact, len(texts))
	for rank, text := range texts {
		if err := json.Unmarshal([]byte(text), &all[rank]); err != nil {
			return fmt.Errorf("facts of rank %d: %w", rank, err)
		}
	}
	var seen, differ []string
	for _, facts := range all {
		for _, f := range facts {
			if slices.Contains(seen, f.Name) {
				continue
			}
			seen = append(seen, f.Name)
			if text := compare(all, f); text != "" {
				differ = append(differ, text)
			}
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return errors.New("the ranks disagree: " + strings.Join(differ, "; "))
}

// compare is "" when all have the same value of a fact, else the ranks of each
// value in the order of ranks, and the cure.
func compare(all [][]Fact, fact Fact) string {
	ranks := map[string][]int{}
	var values []string
	for rank, facts := range all {
		value := "nothing"
		if i := slices.IndexFunc(facts, func(f Fact) bool { return f.Name == fact.Name }); i >= 0 {
			value = facts[i].Value
		}
		if ranks[value] == nil {
			values = append(values, value)
		}
		ranks[value] = append(ranks[value], rank)
	}
	if len(values) == 1 {
		return ""
	}
	var parts []string
	for _, value := range values {
		parts = append(parts, fmt.Sprintf("%s on %s", value, Ranks(ranks[value])))
	}
	return fmt.Sprintf("%s is %s: %s", fact.Name, strings.Join(parts, ", "), fact.Cure)
}

// Texts tells the other ranks mine and returns the texts of all. It is a
// collective.
func Texts(g Group, mine string) ([]string, error) {
	n := g.Size()
	var own [8]byte
	binary.LittleEndian.PutUint64(own[:], uint64(len(mine)))
	sizes := make([]byte, 8*n)
	if err := g.AllGather(sizes, own[:]); err != nil {
		return nil, err
	}
	size := func(rank int) int { return int(binary.LittleEndian.Uint64(sizes[8*rank:])) }
	longest := 0
	for rank := range n {
		longest = max(longest, size(rank))
	}
	texts := make([]string, n)
	if longest == 0 {
		return texts, nil
	}
	padded, all := make([]byte, longest), make([]byte, n*longest)
	copy(padded, mine)
	if err := g.AllGather(all, padded); err != nil {
		return nil, err
	}
	for rank := range n {
		texts[rank] = string(all[rank*longest:][:size(rank)])
	}
	return texts, nil
}

// Ranks writes rising numbers of ranks: "rank 3", "ranks 0-2, 5".
func Ranks(ranks []int) string {
	var runs []string
	for i := 0; i < len(ranks); {
		j := i
		for j+1 < len(ranks) && ranks[j+1] == ranks[j]+1 {
			j++
		}
		run := strconv.Itoa(ranks[i])
		if j > i {
			run += "-" + strconv.Itoa(ranks[j])
		}
		runs = append(runs, run)
		i = j + 1
	}
	if len(ranks) == 1 {
		return "rank " + runs[0]
	}
	return "ranks " + strings.Join(runs, ", ")
}
