package autodiff

import (
	"fmt"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// pull returns the cotangents of wrt for those of the roots, nil where none flows. rule is told whose gradient the nodes to come are.
func (d *derivation) pull(rule func(forward *graph.Node), seeds []*graph.Node) ([]*graph.Node, error) {
	var modes [][]*graph.Node
	for i := range d.mode {
		r := reverse{span: &d.mode[i], rule: rule}
		if err := r.run(seeds); err != nil {
			return nil, err
		}
		list := make([]*graph.Node, len(d.wrt))
		for k, w := range d.wrt {
			list[k] = r.cotangent[w.ID()]
		}
		modes = append(modes, list)
	}
	train, eval := modes[0], modes[len(modes)-1]
	grads := make([]*graph.Node, len(d.wrt))
	for k, w := range d.wrt {
		grads[k] = byMode(train[k], eval[k], w)
	}
	return grads, nil
}

// byMode joins what flows in training and in evaluation; like has its type.
func byMode(train, eval, like *graph.Node) *graph.Node {
	switch {
	case train == eval:
		return train
	case train == nil:
		train = ops.ZerosLike(like)
	case eval == nil:
		eval = ops.ZerosLike(like)
	}
	return ops.ByMode(train, eval)
}

// reverse is one backward pass over a span.
type reverse struct {
	*span
	rule      func(forward *graph.Node)
	cotangent []*graph.Node   // accumulated so far
	parts     [][]*graph.Node // of tuples: the cotangents of the parts
}

func (r *reverse) run(seeds []*graph.Node) error {
	r.cotangent = make([]*graph.Node, len(r.onPath))
	r.parts = make([][]*graph.Node, len(r.onPath))
	for i, root := range r.roots {
		if seeds[i] != nil && r.has(root) {
			r.add(root, seeds[i])
		}
	}
	for i := len(r.nodes) - 1; i >= 0; i-- {
		n := r.nodes[i]
		if !slices.ContainsFunc(n.Inputs(), r.has) { // a leaf, or asked for and not computed from another such node
			continue
		}
		if err := r.node(n); err != nil {
			return err
		}
	}
	return nil
}

// node passes the cotangent of n on to its operands.
func (r *reverse) node(n *graph.Node) error {
	dy := r.cotangent[n.ID()-r.base]
	if parts := r.parts[n.ID()-r.base]; parts != nil {
		r.rule(n)
		dy = packed(n, parts)
	}
	if dy == nil || passesNothing(n.Def()) {
		return nil
	}
	r.rule(n)
	if n.Is(ops.GetDef) {
		r.addPart(n, dy)
		return nil
	}
	dx, err := cotangents(n, dy)
	if err != nil {
		return err
	}
	for i, x := range n.Inputs() {
		if dx[i] != nil && r.has(x) {
			r.add(x, dx[i])
		}
	}
	return nil
}

func passesNothing(d *graph.Def) bool { return d.Traits.Has(graph.Discrete) && d.VJP == nil }

// cotangents asks n's rule for the cotangents of its operands, and checks them.
func cotangents(n, dy *graph.Node) (dx []*graph.Node, err error) {
	if n.Def().VJP == nil {
		return nil, graph.Locate(graph.Errorf(graph.ErrGradient, "operator %s offers no gradient (Def.VJP is nil); ops.StopGradient cuts it off where none is wanted", n.Def().Name), n)
	}
	if err := protect(n, func() { dx = n.Def().VJP(n, dy) }); err != nil {
		return nil, err
	}
	if len(dx) != len(n.Inputs()) {
		return nil, ruleError(n, "returned %d cotangents for %d operands", len(dx), len(n.Inputs()))
	}
	for i, x := range n.Inputs() {
		if dx[i] == nil {
			continue
		}
		if err := fits(n, dx[i], x.Type(), fmt.Sprintf("a cotangent for operand %d", i)); err != nil {
			return nil, err
		}
	}
	return dx, nil
}

// fits checks what a rule of n returned.
func fits(n, d *graph.Node, want graph.Type, what string) error {
	switch {
	case d.Err() != nil:
		return d.Err()
	case d.Graph() != n.Graph():
		return ruleError(n, "returned %s that belongs to another graph", what)
	case !d.Type().Identical(want):
		return ruleError(n, "returned %s of type %v, which must be %v", what, d.Type(), want)
	}
	return nil
}

// protect runs a rule, which may belong to a user, and makes an error of a panic in it.
func protect(n *graph.Node, rule func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ruleError(n, "panicked: %v", p)
		}
	}()
	rule()
	return nil
}

func ruleError(n *graph.Node, format string, args ...any) error {
	return graph.Locate(graph.Errorf(graph.ErrOperator, "the gradient rule of %s %s", n.Def().Name, fmt.Sprintf(format, args...)), n)
}

func (r *reverse) add(x, dx *graph.Node) { sumInto(&r.cotangent[x.ID()-r.base], dx) }

// addPart collects the cotangent of one part of a tuple.
func (r *reverse) addPart(get, dy *graph.Node) {
	tuple := get.In(0)
	parts := &r.parts[tuple.ID()-r.base]
	if *parts == nil {
		*parts = make([]*graph.Node, len(tuple.Type().Tuple))
	}
	sumInto(&(*parts)[ops.Part(get)], dy)
}

func sumInto(sum **graph.Node, d *graph.Node) {
	if *sum != nil {
		d = ops.Add(*sum, d)
	}
	*sum = d
}

// packed makes one node of the cotangents or tangents of the parts of tuple n; a part that none flows to gets zeros.
func packed(n *graph.Node, parts []*graph.Node) *graph.Node {
	full := make([]*graph.Node, len(parts))
	for i, p := range parts {
		if full[i] = p; p == nil {
			full[i] = ops.ZerosLike(ops.Get(n, i))
		}
	}
	return ops.Tuple(full...)
}
