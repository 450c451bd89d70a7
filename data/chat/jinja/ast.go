package jinja

// node is a node of the syntax tree, as jinja2's parser makes it.
type node interface{}

// Expressions.
type (
	constNode struct{ value Value }
	nameNode  struct {
		name  string
		store bool // a target of an assignment
		param bool // of a macro or of with
		line  int
	}
	nsRefNode struct { // name.attr as a target of set
		name, attr string
		line       int
	}
	tupleNode  struct{ items []node }
	listNode   struct{ items []node }
	dictNode   struct{ keys, values []node }
	binaryNode struct {
		op          string // + - * / // % ** and or
		left, right node
		line        int
	}
	unaryNode struct {
		op   string // + - not
		node node
		line int
	}
	compareNode struct {
		first node
		ops   []string // == != < <= > >= in notin
		nodes []node
		line  int
	}
	concatNode struct{ nodes []node }
	condNode   struct {
		test, yes node
		no        node // nil without else
		line      int
	}
	attrNode struct {
		node node
		name string
		line int
	}
	itemNode struct {
		node, arg node
		line      int
	}
	sliceNode struct{ start, stop, step node } // nil where left out
	callNode  struct {
		node node
		args arguments
		line int
	}
	// filterNode applies a filter, or a test.
	filterNode struct {
		node node // nil in a filter block
		name string
		args arguments
		test bool
		line int
	}
)

// arguments are those of a call: f(args, *star, names=values, **stars).
type arguments struct {
	args        []node
	names       []string
	values      []node
	star, stars node // nil without
}

// children calls f for the arguments in the order in which jinja2 keeps them.
func (a *arguments) children(f func(node)) {
	for _, n := range a.args {
		f(n)
	}
	for _, n := range a.values {
		f(n)
	}
	if a.star != nil {
		f(a.star)
	}
	if a.stars != nil {
		f(a.stars)
	}
}

// Statements.
type (
	outputNode struct {
		nodes []node // dataNode or expressions
		lines []int
	}
	dataNode struct{ text string }
	ifNode   struct {
		test      node
		body      []node
		elifs     []node // *ifNode without elifs or else
		otherwise []node
		line      int
	}
	forNode struct {
		target, iter    node
		body, otherwise []node
		test            node // nil without
		recursive       bool
		line            int
	}
	macroNode struct { // also the body of a call block, without a name
		name     string
		args     []node // *nameNode
		defaults []node // of the last arguments
		body     []node
		line     int
	}
	callBlockNode struct {
		macro *macroNode
		call  node // *callNode, nil for a generation block
		line  int
	}
	filterBlockNode struct {
		body   []node
		filter node
		line   int
	}
	withNode struct {
		targets, values []node
		body            []node
		line            int
	}
	assignNode struct {
		target, node node
		line         int
	}
	assignBlockNode struct {
		target node
		filter node // nil without
		body   []node
		line   int
	}
	blockNode struct {
		name             string
		body             []node
		scoped, required bool
		line             int
	}
	scopeNode struct{ body []node }
	loadNode  struct { // include, import, from … import, extends
		what  string
		expr  node
		names []string // that it would set
		line  int
	}
	breakNode struct {
		next bool // continue
		line int
	}
)

// children calls f for the children of n in jinja2's order of fields.
func children(n node, f func(node)) {
	each := func(list []node) {
		for _, c := range list {
			f(c)
		}
	}
	some := func(c node) {
		if c != nil {
			f(c)
		}
	}
	switch n := n.(type) {
	case *tupleNode:
		each(n.items)
	case *listNode:
		each(n.items)
	case *dictNode:
		for i := range n.keys {
			f(n.keys[i])
			f(n.values[i])
		}
	case *binaryNode:
		f(n.left)
		f(n.right)
	case *unaryNode:
		f(n.node)
	case *compareNode:
		f(n.first)
		each(n.nodes)
	case *concatNode:
		each(n.nodes)
	case *condNode:
		f(n.test)
		f(n.yes)
		some(n.no)
	case *attrNode:
		f(n.node)
	case *itemNode:
		f(n.node)
		f(n.arg)
	case *sliceNode:
		some(n.start)
		some(n.stop)
		some(n.step)
	case *callNode:
		f(n.node)
		n.args.children(f)
	case *filterNode:
		some(n.node)
		n.args.children(f)
	default:
		statementChildren(n, f, each, some)
	}
}

func statementChildren(n node, f func(node), each func([]node), some func(node)) {
	switch n := n.(type) {
	case *outputNode:
		each(n.nodes)
	case *ifNode:
		f(n.test)
		each(n.body)
		each(n.elifs)
		each(n.otherwise)
	case *forNode:
		f(n.target)
		f(n.iter)
		each(n.body)
		each(n.otherwise)
		some(n.test)
	case *macroNode:
		each(n.args)
		each(n.defaults)
		each(n.body)
	case *callBlockNode:
		some(n.call)
		each(n.macro.args)
		each(n.macro.defaults)
		each(n.macro.body)
	case *filterBlockNode:
		each(n.body)
		f(n.filter)
	case *withNode:
		each(n.targets)
		each(n.values)
		each(n.body)
	case *assignNode:
		f(n.target)
		f(n.node)
	case *assignBlockNode:
		f(n.target)
		some(n.filter)
		each(n.body)
	case *blockNode:
		each(n.body)
	case *scopeNode:
		each(n.body)
	case *loadNode:
		f(n.expr)
	}
}

// walk calls f for n and all below it.
func walk(n node, f func(node)) {
	f(n)
	children(n, func(c node) { walk(c, f) })
}
