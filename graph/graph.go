package graph

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"reflect"
	"slices"
	"unsafe"
)

// Graph is an append-only list of nodes in topological order. Equal expressions are one node. A graph may be read by many
// goroutines at once, but be built by one at a time. The zero Graph is empty and ready for use.
type Graph struct {
	nodes   []*Node
	table   map[uint64]*Node // by hash of (operator, attributes, inputs); chains are compared in full
	names   map[string]*Node // leaves
	defs    map[*Def]uint64
	seed    maphash.Seed
	assigns []assignment
	serial  int
	spare   []Node // for copies: a graph of many nodes is allocated in few pieces
	err     error  // the first one, for Err

	origin Position // while a gradient rule or a rewrite runs: what its nodes take for their position
}

// Update says that a parameter or variable becomes the value of an expression when a step commits. Expressions see the values
// from before the step.
type Update struct {
	Target *Node // a Param or Variable
	Value  *Node // of the same type
}

// assignment is an Update of the graph's own, and the line that recorded it.
type assignment struct {
	Update
	pos Position
}

// New returns an empty graph.
func New() *Graph { return new(Graph) }

// prepare makes the maps; whatever enters a node calls it first.
func (g *Graph) prepare() {
	if g.table == nil {
		g.table, g.names, g.defs, g.seed = map[uint64]*Node{}, map[string]*Node{}, map[*Def]uint64{}, maphash.MakeSeed()
	}
}

// reserve makes an empty graph ready for about n nodes.
func (g *Graph) reserve(n int) {
	g.nodes, g.table = make([]*Node, 0, n), make(map[uint64]*Node, n)
	g.names, g.defs, g.seed = map[string]*Node{}, map[*Def]uint64{}, maphash.MakeSeed()
}

// place returns memory for a node.
func (g *Graph) place() *Node {
	if len(g.spare) == 0 {
		g.spare = make([]Node, 32)
	}
	n := &g.spare[0]
	g.spare = g.spare[1:]
	return n
}

// Init says how a parameter or variable starts. Name is what people read; Fill sets the values of a tensor of the given shape,
// in row-major order, drawing from r, which is seeded from the State's seed and the leaf's name. The zero Init means zeros.
//
// Check, if there is one, says why a tensor of this shape cannot start so, or nil; it is asked when the leaf is added, and Fill
// meets only shapes that it accepts.
type Init struct {
	Name  string
	Fill  func(r *rand.Rand, shape []int, dst []float64)
	Check func(shape []int) error
}

// Zeros is the initial value 0.
func Zeros() Init { return Full(0) }

// Full is the initial value v for every element.
func Full(v float64) Init {
	return Init{Name: formatFloat(v), Fill: func(_ *rand.Rand, _ []int, dst []float64) {
		for i := range dst {
			dst[i] = v
		}
	}}
}

// Input adds a value that is fed at each run. Its dimensions may be symbols, which are bound by what is fed.
func (g *Graph) Input(name string, dtype DType, dims ...Dim) *Node {
	return g.leaf(&Node{kind: Input, name: name, typ: TypeOf(dtype, dims...)})
}

// Param adds a trainable tensor called name, a dotted path such as "encoder.0.weight". Its shape is static.
func (g *Graph) Param(name string, dtype DType, init Init, dims ...Dim) *Node {
	return g.leaf(&Node{kind: Param, name: name, typ: TypeOf(dtype, dims...), init: init})
}

// Variable adds state that is not trained but may be updated by programs and set by the host: a learning rate, a step counter, a running mean.
func (g *Graph) Variable(name string, dtype DType, init Init, dims ...Dim) *Node {
	return g.leaf(&Node{kind: Variable, name: name, typ: TypeOf(dtype, dims...), init: init})
}

func (g *Graph) leaf(n *Node) *Node {
	if g == nil {
		return &Node{id: -1, kind: n.kind, name: n.name, err: locate(Errorf(ErrGraph, "a nil *graph.Graph; start with graph.New()"), callerPosition(), n.name)}
	}
	n.graph, n.pos = g, callerPosition()
	n.typ.Shape = slices.Clone(n.typ.Shape)
	if err := g.checkLeaf(n); err != nil {
		return g.invalid(n, locate(err, n.pos, n.kind.String()+" "+n.name))
	}
	g.prepare()
	g.names[n.name] = n
	return g.add(n)
}

func (g *Graph) checkLeaf(n *Node) error {
	if n.name == "" {
		return Errorf(ErrName, "an empty name; errors, feeds and saved weights go by it")
	}
	if other := g.names[n.name]; other != nil {
		return Errorf(ErrName, "the name %q is taken by the %s of %s; give each leaf its own", n.name, other.kind, other.pos)
	}
	if err := n.typ.check(); err != nil {
		return err
	}
	if n.kind != Input && !n.typ.Shape.IsStatic() {
		return Errorf(ErrShape, "shape %v has a symbol; what a State holds needs fixed sizes", n.typ.Shape)
	}
	return n.init.check(n.typ.Shape)
}

// check asks whether a tensor of a static shape can start so.
func (i Init) check(s Shape) (err error) {
	if i.Check == nil {
		return nil
	}
	defer func() { // the check may belong to a user; building never panics
		if r := recover(); r != nil {
			err = Errorf(ErrOperator, "the check of initialiser %s panicked: %v", i.Name, r)
		}
	}()
	sizes := make([]int, len(s))
	for k, d := range s {
		sizes[k] = int(d)
	}
	return i.Check(sizes)
}

// Constant adds a fixed value: a *tensor.Dense, a slice, or a Go number (int is Int64, float64 is Float64). The value is
// copied. Equal constants are one node.
func (g *Graph) Constant(v any) *Node {
	if g == nil {
		return &Node{id: -1, kind: Constant, err: locate(Errorf(ErrGraph, "a nil *graph.Graph; start with graph.New()"), callerPosition(), "constant")}
	}
	n := &Node{graph: g, kind: Constant, pos: g.position()}
	a, err := ArrayOf(v)
	if err != nil {
		return g.invalid(n, locate(err, n.pos, "constant"))
	}
	n.typ.DType = a.DType
	for _, s := range a.Shape {
		n.typ.Shape = append(n.typ.Shape, Dim(s))
	}
	if err := n.typ.check(); err != nil {
		return g.invalid(n, locate(err, n.pos, "constant"))
	}
	n.value = NewArray(a.DType, slices.Clone(a.Shape)...)
	n.value.CopyFrom(a)
	n.key = unsafe.String(unsafe.SliceData(n.value.Bytes()), len(n.value.Bytes())) // the copy is ours and never written
	return g.intern(n)
}

// Full adds a constant scalar of the given element type.
func (g *Graph) Full(dtype DType, v float64) *Node {
	if !dtype.Valid() {
		return g.invalidf("constant", ErrDType, "%v is no element type", dtype)
	}
	a := NewArray(dtype)
	a.SetAt(0, v)
	return g.Constant(a)
}

// Apply adds the application of operator d to the operands, or returns the node that is it already. This is how every
// operator's constructor builds its node. Attributes are compared by value and must not be changed later; see Def.
func (g *Graph) Apply(d *Def, attr any, in ...*Node) *Node {
	n := &Node{graph: g, def: d, attr: attr, in: slices.Clone(in), pos: g.position()}
	if err := g.check(n); err != nil {
		return g.invalid(n, err)
	}
	return g.intern(n)
}

// Apply is Graph.Apply in the graph of the first operand that has one.
func Apply(d *Def, attr any, in ...*Node) *Node {
	var g *Graph
	for _, x := range in {
		if g = x.Graph(); g != nil {
			break
		}
	}
	return g.Apply(d, attr, in...)
}

// check infers the type of n and encodes its attributes.
func (g *Graph) check(n *Node) error {
	if n.def == nil {
		n.def = &Def{Name: "nil"}
		return locate(Errorf(ErrOperator, "a nil *graph.Def"), n.pos, n.Expr())
	}
	for i, x := range n.in {
		switch {
		case x == nil:
			return locate(Errorf(ErrGraph, "operand %d is nil", i), n.pos, n.Expr())
		case x.err != nil:
			return x.err // the error that came first is the one to mend
		case x.graph != g:
			return locate(Errorf(ErrGraph, "operand %d (%s, %s) belongs to another graph; an expression stays in one", i, x.short(), x.pos), n.pos, n.Expr())
		}
	}
	if g == nil {
		return locate(Errorf(ErrGraph, "no graph: no operand, and Apply was called on a nil *graph.Graph"), n.pos, n.Expr())
	}
	err := inferType(n)
	if err == nil {
		n.key, err = encodeAttr(n.attr)
	}
	if err != nil {
		err = locate(err, n.pos, n.Expr())
	}
	return err
}

func inferType(n *Node) (err error) {
	defer func() { // a shape rule may belong to a user; building never panics
		if r := recover(); r != nil {
			err = Errorf(ErrOperator, "the shape rule of %s panicked: %v", n.def.Name, r)
		}
	}()
	if n.def.Infer == nil {
		return Errorf(ErrOperator, "operator %s offers no shape rule (Def.Infer is nil)", n.def.Name)
	}
	in := make([]Type, len(n.in))
	for i, x := range n.in {
		in[i] = x.typ
	}
	if n.typ, err = n.def.Infer(n.attr, in); err != nil {
		return err
	}
	if err := n.typ.check(); err != nil {
		return err
	}
	switch t := n.def.Traits; {
	case t.Has(Identity) && (len(in) == 0 || !n.typ.Identical(in[0])):
		return Errorf(ErrOperator, "operator %s is an Identity, but its result %v is not of operand 0's type", n.def.Name, n.typ)
	case t.Has(View) && (len(in) == 0 || n.typ.IsTuple() || n.typ.DType != in[0].DType || n.typ.Shape.Size().Equal(in[0].Shape.Size()) != Yes):
		return Errorf(ErrOperator, "operator %s is a View, but its result %v has not operand 0's elements", n.def.Name, n.typ)
	}
	return nil
}

// intern returns the node equal to n, or adds n. Equality is of kind, operator pointer, attributes with their Go type, operands
// and type; the hash only finds candidates.
func (g *Graph) intern(n *Node) *Node {
	g.prepare()
	return g.internAt(g.hash(n), n)
}

func (g *Graph) internAt(h uint64, n *Node) *Node {
	for m := g.table[h]; m != nil; m = m.next {
		if m.equal(n) {
			if len(m.merged) < 3 && m.pos != n.pos && !slices.Contains(m.merged, n.pos) {
				m.merged = append(m.merged, n.pos)
			}
			return m
		}
	}
	n.next = g.table[h]
	g.table[h] = g.add(n)
	return n
}

func (g *Graph) hash(n *Node) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	var word [8]byte
	def, ok := g.defs[n.def]
	if !ok {
		def = uint64(len(g.defs))
		g.defs[n.def] = def
	}
	binary.LittleEndian.PutUint64(word[:], def)
	h.Write(word[:])
	in := n.in
	if n.commutes() && in[0].id > in[1].id {
		in = []*Node{in[1], in[0]}
	}
	for _, x := range in {
		binary.LittleEndian.PutUint64(word[:], uint64(x.id))
		h.Write(word[:])
	}
	h.WriteString(n.key)
	return h.Sum64()
}

func (n *Node) equal(m *Node) bool {
	if n.def != m.def || n.kind != m.kind || len(n.in) != len(m.in) || n.key != m.key || reflect.TypeOf(n.attr) != reflect.TypeOf(m.attr) || !n.typ.Identical(m.typ) {
		return false
	}
	same := true
	for i := range n.in {
		same = same && n.in[i] == m.in[i]
	}
	return same || n.commutes() && n.in[0] == m.in[1] && n.in[1] == m.in[0]
}

// commutes reports whether the operands may be exchanged. The node keeps the order that was written first.
func (n *Node) commutes() bool {
	return n.def != nil && n.def.Traits.Has(Commutative) && len(n.in) == 2
}

func (g *Graph) add(n *Node) *Node {
	n.id = int32(len(g.nodes))
	n.typ.Shape = slices.Clip(n.typ.Shape) // shape rules that append to it must not meet in its spare capacity
	g.nodes = append(g.nodes, n)
	return n
}

func (g *Graph) invalid(n *Node, err error) *Node {
	n.id, n.err, n.typ = -1, err, Type{}
	if g != nil && g.err == nil {
		g.err = err
	}
	return n
}

func (g *Graph) invalidf(expr string, kind error, format string, args ...any) *Node {
	pos := callerPosition()
	return g.invalid(&Node{graph: g, pos: pos}, locate(Errorf(kind, format, args...), pos, expr))
}

// Invalid returns a node that carries err, placed at the user's line, for constructors that find their arguments wrong before
// there is an operator to apply. expr names what was to be built, as in "split(x)". The error of the first invalid operand wins.
func Invalid(err error, expr string, in ...*Node) *Node {
	if err == nil {
		err = Errorf(ErrOperator, "graph.Invalid was called without an error")
	}
	var g *Graph
	for i := len(in) - 1; i >= 0; i-- { // backwards: the first one stays
		if x := in[i]; x != nil {
			if x.graph != nil {
				g = x.graph
			}
			if x.err != nil {
				err = x.err
			}
		}
	}
	pos := callerPosition()
	return g.invalid(&Node{graph: g, pos: pos, in: in}, locate(err, pos, expr))
}

// position is where the node under construction comes from: the user's line; while gradient rules run, the line of Grad with
// that of the forward node; while a rewrite runs, the line of what it replaces.
func (g *Graph) position() Position {
	if g != nil && g.origin.IsKnown() {
		return g.origin
	}
	return callerPosition()
}

// Derive runs f, which applies gradient rules: nodes built after it has called rule(forward) say that they are the gradient of
// that node, on behalf of the user's line that called Derive. It is for package autodiff.
func (g *Graph) Derive(f func(rule func(forward *Node))) {
	if g == nil {
		f(func(*Node) {})
		return
	}
	pos, before := callerPosition(), g.origin
	defer func() { g.origin = before }()
	f(func(forward *Node) {
		g.origin = pos
		if g.origin.gradient = forward.pos.pc; !pos.IsKnown() {
			g.origin = forward.pos
		}
	})
}

// during runs f; nodes that it builds take the position of origin.
func (g *Graph) during(origin *Node, f func()) {
	if g == nil {
		f()
		return
	}
	before := g.origin
	defer func() { g.origin = before }()
	g.origin = origin.pos
	f()
}

// Assign records that training programs which use variable v shall set it to value after each step: running means, counters of
// random streams. It fails if v is not a Variable, has another type than value, or is assigned already.
func (g *Graph) Assign(v, value *Node) error {
	pos := g.position()
	fail := func(kind error, format string, args ...any) error {
		err := locate(Errorf(kind, format, args...), pos, "assign("+v.short()+")")
		if g != nil && g.err == nil {
			g.err = err
		}
		return err
	}
	switch {
	case v.Err() != nil:
		return v.Err()
	case value.Err() != nil:
		return value.Err()
	case v.graph != g || value.graph != g:
		return fail(ErrGraph, "variable and value must belong to this graph")
	case v.kind != Variable:
		return fail(ErrGraph, "%s is not a variable but the kind %s", v.short(), v.kind)
	case !v.typ.Identical(value.typ):
		return fail(ErrShape, "the variable is %v, the value %v", v.typ, value.typ)
	}
	for _, a := range g.assigns {
		if a.Target == v {
			return fail(ErrName, "it is assigned already, at %v; a variable becomes one value", a.pos)
		}
	}
	g.assigns = append(g.assigns, assignment{Update{v, value}, pos})
	return nil
}

// Assigned returns what Assign recorded, in order.
func (g *Graph) Assigned() []Update {
	if g == nil {
		return nil
	}
	list := make([]Update, len(g.assigns))
	for i, a := range g.assigns {
		list[i] = a.Update
	}
	return list
}

// Serial returns 1, 2, … at successive calls. As an attribute it keeps apart what is written alike but meant to differ: the random
// streams of two dropouts.
func (g *Graph) Serial() int {
	if g == nil {
		return 0
	}
	g.serial++
	return g.serial
}

// Nodes returns all valid nodes in topological order. The slice must not be changed.
func (g *Graph) Nodes() []*Node {
	if g == nil {
		return nil
	}
	return g.nodes
}

// Leaf returns the input, parameter or variable called name, or nil.
func (g *Graph) Leaf(name string) *Node {
	if g == nil {
		return nil
	}
	return g.names[name]
}

// Params returns the parameters in the order they were added.
func (g *Graph) Params() []*Node { return g.ofKind(Param) }

// Variables returns the variables in the order they were added.
func (g *Graph) Variables() []*Node { return g.ofKind(Variable) }

// Feeds returns the inputs in the order they were added.
func (g *Graph) Feeds() []*Node { return g.ofKind(Input) }

func (g *Graph) ofKind(k Kind) (list []*Node) {
	for _, n := range g.Nodes() {
		if n.kind == k {
			list = append(list, n)
		}
	}
	return list
}

// Err returns the first error of an expression built in this graph, nil if all fit. It is a convenience: Compile looks only at
// what it is asked to compile, so one slip in a notebook does not spoil the graph.
func (g *Graph) Err() error {
	if g == nil {
		return Errorf(ErrGraph, "a nil *graph.Graph")
	}
	return g.err
}
