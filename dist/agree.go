package dist

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fact is something that has to be the same on all ranks: Name says what, Value is
// short and printable, such as a version or a checksum.
type Fact struct{ Name, Value string }

// Agree returns nil on all ranks when all give the same facts and size, else, on
// all of them, one error that names facts, ranks and values. Every rank publishes
// its facts in store; rank 0 compares and publishes the verdict. The keys begin
// with "agree/": a store serves one Agree, so give each a part of its own. When ctx
// ends first, rank 0's error names the ranks that did not come.
func Agree(ctx context.Context, store Store, rank, size int, facts []Fact) error {
	facts = append([]Fact{{"number of ranks", strconv.Itoa(size)}}, facts...)
	mine, err := json.Marshal(facts)
	if err != nil {
		return fmt.Errorf("agree: %w", err)
	}
	if err := store.Set(ctx, agreeKey(rank), mine); err != nil {
		return fmt.Errorf("agree: %w", err)
	}
	if rank == 0 {
		verdict, err := judge(ctx, store, size)
		if err != nil {
			return err
		}
		if err := store.Set(ctx, "agree/verdict", []byte(verdict)); err != nil {
			return fmt.Errorf("agree: %w", err)
		}
	}
	verdict, err := store.Get(ctx, "agree/verdict")
	if err != nil {
		return fmt.Errorf("agree: rank %d waits for rank 0, which compares all ranks: %w", rank, err)
	}
	if len(verdict) > 0 {
		return fmt.Errorf("the ranks disagree: %s; start all of them with the same program, files and arguments", verdict)
	}
	return nil
}

func agreeKey(rank int) string { return "agree/" + strconv.Itoa(rank) }

// judge compares the facts of all ranks: "" or what differs.
func judge(ctx context.Context, store Store, size int) (string, error) {
	all := make([][]Fact, size)
	for rank := range all {
		text, err := store.Get(ctx, agreeKey(rank))
		if err != nil {
			return "", fmt.Errorf("agree: rank %d of %d did not come: %w", rank, size, err)
		}
		if err := json.Unmarshal(text, &all[rank]); err != nil {
			return "", fmt.Errorf("agree: facts of rank %d: %w", rank, err)
		}
	}
	var names []string
	for _, facts := range all {
		for _, f := range facts {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	var differ []string
	for _, name := range names {
		if text := compare(all, name); text != "" {
			differ = append(differ, text)
		}
	}
	return strings.Join(differ, "; "), nil
}

// compare is "" when all have the same value of a fact, else the ranks of each
// value in the order of ranks.
func compare(all [][]Fact, name string) string {
	ranks := map[string][]int{}
	var values []string
	for rank, facts := range all {
		value := "nothing"
		if i := slices.IndexFunc(facts, func(f Fact) bool { return f.Name == name }); i >= 0 {
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
	return name + " is " + strings.Join(parts, ", ")
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
