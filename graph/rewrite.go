package graph

import "slices"

// Rule replaces an expression by another of the same value and type: more stable, or cheaper. Rules are rows of tables beside
// the operators they concern; autodiff and the compiler apply them.
type Rule struct {
	Name string // as in "log-softmax"
	Why  string // one sentence
	Root *Def   // the operator at the root of the expressions it applies to

	// Rewrite returns the replacement of n, built with ordinary constructors, or nil where the rule does not apply. It looks at
	// operands through m, which keeps it from looking through nodes that somebody asked for.
	Rewrite func(m *Match, n *Node) *Node
}

// Match is what a rule may see of an expression.
type Match struct{ boundary map[*Node]bool }

// Op returns x if it is an application of d that the rule may look into, else nil.
func (m *Match) Op(x *Node, d *Def) *Node {
	if x.Is(d) && !m.boundary[x] {
		return x
	}
	return nil
}

// maxRewrites bounds the rules applied one after the other to one node. Rules lead to a fixed point; the bound is for a pair that
// does not.
const maxRewrites = 32

// Rebuild copies expressions, into the graph they are in or another, while replacing nodes. All passes over graphs are made
// of it: it is a loop over ids, so nothing recurses, and what does not change keeps its node when the graph is the same.
type Rebuild struct {
	Into  *Graph  // nil: the graph of the roots
	Keep  []*Node // boundaries: left as they are, and rules do not look into them
	Rules []Rule

	// Replace, if set, is asked before the rules: the replacement of n, whose operands have become in, or nil for none.
	Replace func(n *Node, in []*Node) *Node

	// Fired lists the rules that were applied, in order.
	Fired []Fired

	source *Graph  // of the last Run
	image  []*Node // by id in it
}

// Fired records one application of a rule.
type Fired struct {
	Rule   *Rule
	Before *Node // in the target graph
	After  *Node
}

// Run rebuilds what the roots need and returns their images. The roots must be valid nodes of one graph.
func (r *Rebuild) Run(roots ...*Node) []*Node {
	if len(roots) == 0 {
		return nil
	}
	src := roots[0].graph
	into := r.Into
	if into == nil {
		into = src
	}
	top := -1
	for _, n := range roots {
		top = max(top, int(n.id))
	}
	needed := make([]bool, top+1)
	for _, n := range roots {
		needed[n.id] = true
	}
	for id := top; id >= 0; id-- {
		if needed[id] {
			for _, x := range src.nodes[id].in {
				needed[x.id] = true
			}
		}
	}
	match := &Match{boundary: map[*Node]bool{}}
	kept := map[*Node]bool{}
	for _, n := range r.Keep {
		kept[n] = true
		match.boundary[n] = true
	}
	byRoot := map[*Def][]*Rule{}
	for i := range r.Rules {
		root := r.Rules[i].Root
		byRoot[root] = append(byRoot[root], &r.Rules[i])
	}
	if into != src && len(into.nodes) == 0 {
		count := 0
		for _, n := range needed {
			if n {
				count++
			}
		}
		into.reserve(count)
	}
	r.source, r.image = src, make([]*Node, top+1)
	for id, n := range src.nodes[:top+1] {
		if !needed[id] {
			continue
		}
		if len(kept) > 0 && kept[n] {
			m := n
			if into != src {
				m = copyNode(into, n, r.operands(n))
				match.boundary[m] = true
			}
			r.image[id] = m
			continue
		}
		m := r.rebuild(into, n)
		for range maxRewrites { // a rule's result may be another's root
			next := applyRules(match, byRoot[m.def], m, &r.Fired)
			if next == m {
				break
			}
			m = next
		}
		r.image[id] = m
	}
	images := make([]*Node, len(roots))
	for i, n := range roots {
		images[i] = r.image[n.id]
	}
	return images
}

// Image returns what node n became in the last Run, nil if the roots did not need it.
func (r *Rebuild) Image(n *Node) *Node {
	if n == nil || n.err != nil || n.graph != r.source || int(n.id) >= len(r.image) {
		return nil
	}
	return r.image[n.id]
}

func (r *Rebuild) rebuild(into *Graph, n *Node) *Node {
	in := r.operands(n)
	if r.Replace != nil {
		var m *Node
		into.during(n, func() { m = r.Replace(n, in) })
		if m != nil {
			return m
		}
	}
	if into == n.graph && (n.def == nil || len(in) == 0 || &in[0] == &n.in[0]) {
		return n
	}
	return copyNode(into, n, in)
}

// operands returns what n's operands have become: n's own slice if they are the same.
func (r *Rebuild) operands(n *Node) []*Node {
	in := n.in
	for i, x := range n.in {
		if y := r.image[x.id]; y != x {
			if &in[0] == &n.in[0] {
				in = slices.Clone(n.in)
			}
			in[i] = y
		}
	}
	return in
}

// copyNode returns n in the graph into, over other operands. A leaf's copy is the leaf of its name, if there is one.
func copyNode(into *Graph, n *Node, in []*Node) *Node {
	c := into.place()
	*c = *n
	c.graph, c.in, c.next, c.id = into, in, nil, 0
	switch {
	case n.kind == Constant:
		return into.intern(c)
	case n.def == nil:
		if known := into.names[n.name]; known == nil {
			into.prepare()
			into.names[n.name] = into.add(c)
		} else if known.kind != n.kind || !known.typ.Identical(n.typ) {
			return into.invalid(c, locate(Errorf(ErrName, "copied into a graph where %s %q is %v, from one where %s %q is %v",
				known.kind, n.name, known.typ, n.kind, n.name, n.typ), n.pos, n.name))
		} else {
			return known
		}
		return c
	}
	for i, x := range n.in {
		if !x.typ.Identical(in[i].typ) { // the rule must have its say
			var m *Node
			into.during(n, func() { m = into.Apply(n.def, n.attr, in...) })
			return m.Named(n.name)
		}
	}
	return into.intern(c).Named(n.name)
}

func applyRules(match *Match, rules []*Rule, n *Node, fired *[]Fired) *Node {
	if n.err != nil {
		return n
	}
	for _, rule := range rules { // none, for most operators
		var m *Node
		errBefore := n.graph.err
		n.graph.during(n, func() { m = rule.Rewrite(match, n) })
		if m != nil && m != n && m.err == nil && m.typ.Identical(n.typ) {
			*fired = append(*fired, Fired{rule, n, m})
			return m.Named(n.name)
		}
		n.graph.err = errBefore // what a rule tried in vain is no error of the user's
	}
	return n
}
