package autodiff

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// JVP returns the Jacobian-vector product Σᵢ ∂y/∂wrtᵢ · dxᵢ, of y's type: the derivative of y as each of wrt moves along its tangent
// dxᵢ, which has wrtᵢ's type, or is nil where it stands still. y may have any shape. Forward mode costs about as much as y itself, however many
// elements y has; reverse mode (VJP) does so however many wrt has.
//
// An operator's forward rule is its Def.JVP. Where it has none, the rule follows from its VJP: that of an elementwise operator is its own
// transpose; any other is linear in the cotangent u, and J·dx is the VJP, with seed dx, of the function u ↦ uᵀ·J. So whatever has gradients of
// second order has forward derivatives too. By this ⟨JVP(dx), u⟩ = ⟨dx, VJP(u)⟩ holds also where an operator states another gradient than
// its function's.
//
// The errors are those of Grad: y or wrt not of a float type, tangents that are not of their node's type, an operator without a
// gradient, and, unless Options.AllowUnused is set, a y on which no tangent has an effect.
func JVP(y *graph.Node, wrt, dx []*graph.Node) *graph.Node { return Options{}.JVP(y, wrt, dx) }

// JVP is the function JVP with options.
func (o Options) JVP(y *graph.Node, wrt, dx []*graph.Node) *graph.Node {
	fail := func(err error) *graph.Node { return graph.Invalid(err, "jvp("+y.String()+")", y) }
	if err := checkTypes(y, wrt); err != nil {
		return fail(err)
	}
	if err := checkTangents(wrt, dx); err != nil {
		return fail(err)
	}
	d := derive([]*graph.Node{y}, wrt)
	tangents, err := d.push(dx)
	switch {
	case err != nil:
		return fail(err)
	case tangents[0] != nil:
		return tangents[0]
	case o.AllowUnused:
		return zeros(y.Graph(), y.Type())
	}
	return fail(graph.Errorf(graph.ErrGradient, "no tangent has an effect on the root %s: it depends on none of the nodes that move, or only through operators that pass no gradient; pass autodiff.Options{AllowUnused: true} if zeros are meant", y))
}

func checkTangents(wrt, dx []*graph.Node) error {
	if len(wrt) != len(dx) {
		return graph.Errorf(graph.ErrGradient, "%d tangents for %d nodes; each has one, which may be nil", len(dx), len(wrt))
	}
	for i, w := range wrt {
		switch {
		case dx[i] == nil:
		case dx[i].Err() != nil:
			return dx[i].Err()
		case dx[i].Graph() != w.Graph():
			return graph.Errorf(graph.ErrGraph, "the tangent of %s belongs to another graph", nameOf(w))
		case !dx[i].Type().Identical(w.Type()):
			return graph.Errorf(graph.ErrGradient, "the tangent of %s is %v, but it is %v; they must be alike", nameOf(w), dx[i].Type(), w.Type())
		}
	}
	return nil
}

// push returns the tangents of the roots for those of wrt, nil where none flows.
func (d *derivation) push(dx []*graph.Node) (tangents []*graph.Node, err error) {
	f := forward{span: &d.span, tangent: make([]*graph.Node, len(d.span.onPath)), parts: make([][]*graph.Node, len(d.span.onPath))}
	d.span.roots[0].Graph().Derive(func(rule func(*graph.Node)) {
		f.rule = rule
		err = f.run(d.wrt, dx)
	})
	for _, root := range d.span.roots {
		tangents = append(tangents, f.tangent[root.ID()])
	}
	return tangents, err
}

// forward is one forward pass over a span.
type forward struct {
	*span
	rule    func(forward *graph.Node)
	tangent []*graph.Node
	parts   [][]*graph.Node // of tuples: the tangents of the parts
}

func (f *forward) run(wrt, dx []*graph.Node) error {
	for i, w := range wrt {
		if dx[i] != nil {
			sumInto(&f.tangent[w.ID()], dx[i])
		}
	}
	for _, n := range f.nodes {
		if !f.has(n) || n.Kind() != graph.Op {
			continue
		}
		if err := f.node(n); err != nil {
			return err
		}
	}
	return nil
}

// node finds the tangent of n from those of its operands. One that n has already, as a node asked for, adds to it.
func (f *forward) node(n *graph.Node) error {
	dx, moves := make([]*graph.Node, len(n.Inputs())), false
	f.rule(n)
	for i, x := range n.Inputs() {
		if dx[i] = f.tangent[x.ID()]; f.parts[x.ID()] != nil && !n.Is(ops.GetDef) {
			dx[i] = packed(x, f.parts[x.ID()])
		}
		moves = moves || dx[i] != nil || f.parts[x.ID()] != nil
	}
	if !moves || passesNothing(n.Def()) && n.Def().JVP == nil {
		return nil
	}
	var dy *graph.Node
	switch {
	case n.Is(ops.GetDef):
		dy = f.parts[n.In(0).ID()][ops.Part(n)]
	case n.Is(ops.TupleDef):
		f.parts[n.ID()] = dx
	case isByMode(n):
		dy = byMode(dx[0], dx[1], n)
	case n.Def().JVP != nil:
		if err := protect(n, func() { dy = n.Def().JVP(n, dx) }); err != nil {
			return err
		}
		if dy == nil {
			return nil
		}
		if err := fits(n, dy, n.Type(), "a tangent"); err != nil {
			return err
		}
		if n.Type().IsTuple() {
			for i := range n.Type().Tuple {
				f.parts[n.ID()] = append(f.parts[n.ID()], ops.Get(dy, i))
			}
			return nil
		}
	case isDiagonal(n, dx):
		for i := range dx {
			if dx[i] == nil {
				continue
			}
			g, err := cotangents(n, dx[i])
			if err != nil {
				return err
			}
			if g[i] != nil {
				sumInto(&dy, g[i])
			}
		}
	default:
		parts, err := transposed(n, dx, f.rule)
		if err != nil {
			return err
		}
		if n.Type().IsTuple() {
			f.parts[n.ID()] = parts
			return nil
		}
		dy = parts[0]
	}
	if dy != nil {
		sumInto(&f.tangent[n.ID()], dy)
	}
	return nil
}

// isDiagonal reports whether n is elementwise in what moves: a diagonal Jacobian is its own transpose, so VJP is the forward rule too.
func isDiagonal(n *graph.Node, dx []*graph.Node) bool {
	for i, x := range n.Inputs() {
		if dx[i] != nil && !x.Type().Identical(n.Type()) {
			return false
		}
	}
	return n.Def().Pointwise != nil
}

// anyCotangent stands for the cotangent of a node where only the linear map from it counts. It has no kernel: a program that
// needs one comes from a rule that is not linear in the cotangent, and does not compile.
var anyCotangent = &graph.Def{
	Name:  "cotangent",
	Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
}

// transposed returns the tangents of n, or of its parts, by the VJP of its VJP: gᵢ(u) = uᵀ·∂n/∂xᵢ is linear in u, so its VJP by u with
// seed dxᵢ is ∂n/∂xᵢ·dxᵢ. All these nodes are newer than the cotangent u, so the backward pass is as short as the rule.
func transposed(n *graph.Node, dx []*graph.Node, rule func(*graph.Node)) ([]*graph.Node, error) {
	var us []*graph.Node // by part; nil for those without gradients
	var at []int
	of := func(y *graph.Node) {
		var u *graph.Node
		if y.DType().IsFloat() {
			u = graph.Apply(anyCotangent, nil, y)
			at = append(at, len(us))
		}
		us = append(us, u)
	}
	var u *graph.Node
	if n.Type().IsTuple() {
		for i := range n.Type().Tuple {
			of(ops.Get(n, i))
		}
		u = packed(n, us)
	} else {
		of(n)
		u = us[0]
	}
	g, err := cotangents(n, u)
	if err != nil {
		return nil, err
	}
	var s span
	var seeds, wrt []*graph.Node
	for _, i := range at {
		wrt = append(wrt, us[i])
	}
	root := func(g, seed *graph.Node) {
		s.roots, seeds = append(s.roots, g), append(seeds, seed)
	}
	for i, x := range n.Inputs() {
		switch {
		case g[i] == nil || dx[i] == nil:
		case x.Type().IsTuple():
			for k, t := range x.Type().Tuple {
				if t.DType.IsFloat() {
					root(ops.Get(g[i], k), ops.Get(dx[i], k))
				}
			}
		default:
			root(g[i], dx[i])
		}
	}
	tangents := make([]*graph.Node, len(us))
	if len(wrt) == 0 || len(s.roots) == 0 {
		return tangents, nil
	}
	s.base = wrt[0].ID()
	for _, w := range wrt {
		s.base = min(s.base, w.ID())
	}
	top := s.base
	for _, r := range append(s.roots, wrt...) {
		top = max(top, r.ID())
	}
	s.nodes = n.Graph().Nodes()[s.base : top+1]
	s.mark(top+1-s.base, wrt)
	r := reverse{span: &s, rule: func(*graph.Node) { rule(n) }}
	if err := r.run(seeds); err != nil {
		return nil, graph.Locate(graph.Errorf(graph.ErrGradient, "the forward derivative of %s follows from the gradient of its gradient, which fails (a rule in Def.JVP would do without): %v", n.Def().Name, err), n)
	}
	for _, i := range at {
		tangents[i] = r.cotangent[us[i].ID()-s.base]
	}
	return tangents, nil
}
