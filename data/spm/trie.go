package spm

import "sort"

// A trie finds the pieces that a text begins with: a double array, in which the child of node s by byte c is
// base[s] + c if check there is s.
type trie struct {
	nodes []trieNode
}

type trieNode struct {
	base  int32
	check int32 // parent, -1 where free
	id    int32 // of the piece that ends here, -1 for none
}

// maxTrieNodes bounds the memory of a trie; the largest vocabularies in use need 2 million.
const maxTrieNodes = 1 << 26

// newTrie makes the trie of texts with their ids; of equal texts the last id counts. It returns false if the texts
// need too many nodes.
func newTrie(texts []string, ids []int32) (*trie, bool) {
	order := make([]int, 0, len(texts))
	total := 0
	for i, text := range texts {
		if text != "" {
			order = append(order, i)
			total += len(text)
		}
	}
	if total > maxTrieNodes/2 {
		return nil, false
	}
	sort.SliceStable(order, func(i, j int) bool { return texts[order[i]] < texts[order[j]] })
	t := &trie{}
	t.grow(512)
	t.nodes[0].check = 0
	b := trieBuilder{trie: t, texts: texts, ids: ids, order: order}
	b.build(0, 0, len(order), 0)
	return t, true
}

func (t *trie) grow(size int) {
	for len(t.nodes) < size {
		t.nodes = append(t.nodes, trieNode{check: -1, id: -1})
	}
}

// next returns the child of node by c, -1 for none.
func (t *trie) next(node int32, c byte) int32 {
	child := t.nodes[node].base + int32(c)
	if child != 0 && uint(child) < uint(len(t.nodes)) && t.nodes[child].check == node {
		return child
	}
	return -1
}

// A trieBuilder lays out the nodes of sorted texts.
type trieBuilder struct {
	*trie
	texts []string
	ids   []int32
	order []int
	from  int32 // all below is taken, but for gaps that are given up
}

// build lays out the children of node, which is the prefix of length depth that the texts order[lo:hi] share.
func (b *trieBuilder) build(node int32, lo, hi, depth int) {
	for lo < hi && len(b.texts[b.order[lo]]) == depth {
		b.nodes[node].id = b.ids[b.order[lo]]
		lo++
	}
	if lo == hi {
		return
	}
	var labels []byte
	for i := lo; i < hi; i++ {
		if c := b.texts[b.order[i]][depth]; len(labels) == 0 || labels[len(labels)-1] != c {
			labels = append(labels, c)
		}
	}
	base := b.place(labels)
	b.nodes[node].base = base
	for _, c := range labels {
		b.nodes[base+int32(c)].check = node
	}
	for start := lo; start < hi; {
		c := b.texts[b.order[start]][depth]
		end := start + 1
		for end < hi && b.texts[b.order[end]][depth] == c {
			end++
		}
		b.build(base+int32(c), start, end, depth+1)
		start = end
	}
}

// maxTries is how many places are looked at before the nodes from the first of them on are given up.
const maxTries = 64

// place finds a base at which all labels are free.
func (b *trieBuilder) place(labels []byte) int32 {
	first := int32(labels[0])
	tries := 0
	for at := max(b.from, 1); ; at++ {
		b.grow(int(at) + 257)
		if b.nodes[at].check >= 0 {
			if at == b.from {
				b.from++
			}
			continue
		}
		base := at - first
		free := base >= 0
		for _, c := range labels[1:] {
			free = free && b.nodes[base+int32(c)].check < 0
		}
		if free {
			return base
		}
		if tries++; tries > maxTries && at > b.from {
			b.from = at
			tries = 0
		}
	}
}
