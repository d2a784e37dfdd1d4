package vm

import (
	"fmt"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// A pass takes the program one step from the user's graph to the tape.
type pass struct {
	name     string
	why      string
	optional bool // the program is right without it
	run      func(u *unit) error
}

// passes run in this order.
var passes = []pass{
	{"copy", "work on a private graph, so that the user's stays as it is", false, copyGraph},
	{"mode", "one graph serves training and evaluation", false, resolveMode},
	{"erase", "what only spoke to earlier passes is in the way of later ones", false, eraseIdentities},
	{"rewrite", "stable forms, and fewer nodes", true, applyRules},
	{"scale", "a factor of every column belongs into the weights, which change less often than the input", true, foldScales},
	{"fold", "what depends on constants alone is computed once, here", true, foldConstants},
	{"expand", "an operator that is a composition of others fuses as one", false, expand},
	{"lower", "from nodes to instructions over slots", false, lower},
	{"gemm", "matrix products get the fast kernel, which reads its operands in either order for free", true, useGemm},
	{"affine", "bias and activation are applied while the product is still in the cache", true, fuseAffine},
	{"dead", "nobody reads what earlier passes absorbed", false, removeDead},
	{"sink", "operators that can be one program should be neighbours", true, sinkPointwise},
	{"elementwise", "a chain of pointwise operators needs one pass over memory, not one each", true, fuseElementwise},
	{"commit", "an update reads and writes each tensor once if it writes the state itself", true, commitInPlace},
	{"epilogue", "what alone reads a product is cheapest on each tile while that is in the cache", true, fuseEpilogue},
	{"tail", "a sum of what a program computes needs no pass over memory of its own", true, fuseTail},
	{"prologue", "what depends on the state alone is computed once for each version of it", true, hoistPrologue},
	{"rematerialise", "what checkpoints allow to forget is computed again, so it need not be kept", true, rematerialise},
	{"rows", "what works on each row by itself takes it through all of a normalisation while it is in the cache", true, fuseRows},
	{"schedule", "what frees memory should run before what takes more", true, schedule},
	{"stage", "outputs outlive the tape, and commits must see the state before the step", false, stageResults},
	{"liveness", "the memory planner and in-place results need to know when each value dies", false, findLiveness},
	{"inplace", "an operand that dies leaves its place to the result", true, shareInPlace},
}

// order lists which pass must come before which, and because of what.
var order = []struct{ before, after, because string }{
	{"copy", "mode", "every other pass changes the graph"},
	{"mode", "rewrite", "a rule must not be kept from a pattern by a branch that will vanish"},
	{"mode", "fold", "folding executes operators, and bymode cannot be executed"},
	{"erase", "rewrite", "rules do not look through identities"},
	{"mode", "scale", "it is for the form that batch normalisation has in evaluation"},
	{"scale", "lower", "it works on the graph"},
	{"rewrite", "fold", "rules recognise scalars such as the 1 in ln(1+x) that folding would merge into others"},
	{"fold", "lower", "a folded node must not become an instruction"},
	{"rewrite", "expand", "rules recognise the operator, not what it is made of"},
	{"fold", "expand", "an operator of constants is computed by its own kernel"},
	{"expand", "lower", "it works on nodes"},
	{"lower", "gemm", "it works on instructions"},
	{"gemm", "affine", "only products in the kernel's form are fused"},
	{"affine", "dead", "fusion leaves instructions behind"},
	{"affine", "elementwise", "a bias and an activation are cheapest in the product's epilogue"},
	{"dead", "elementwise", "only neighbours are fused, and nothing dead may stand between"},
	{"affine", "sink", "a bias and an activation belong to their product, not to what reads them"},
	{"sink", "elementwise", "it makes the neighbours that are fused"},
	{"elementwise", "epilogue", "a product takes in a whole program at once"},
	{"elementwise", "commit", "an optimiser's update is one program"},
	{"commit", "epilogue", "a product in the commit phase would keep readers of the state waiting"},
	{"epilogue", "tail", "a product can take in a program, but not its tail"},
	{"tail", "liveness", "what only the tail reads is never stored"},
	{"epilogue", "prologue", "a product's operands and form are settled"},
	{"prologue", "stage", "an output that all machines share must be copied"},
	{"tail", "rematerialise", "the same instruction gives the same bits; another fusion would not"},
	{"prologue", "rematerialise", "what the state alone decides is there in any case"},
	{"commit", "rematerialise", "the commit phase computes nothing again"},
	{"tail", "rows", "a sum of what a program computes belongs to it"},
	{"rematerialise", "rows", "it decides about single values"},
	{"rows", "schedule", "instructions that belong together must still be neighbours"},
	{"prologue", "schedule", "what is computed ahead has an order of its own"},
	{"rematerialise", "schedule", "what is computed again stands where it is needed"},
	{"schedule", "liveness", "when a value dies depends on the order"},
	{"rows", "stage", "an output is a value of the tape, not of a block"},
	{"rows", "liveness", "what lives in a block has no life in the arena"},
	{"rematerialise", "liveness", "what is computed again dies earlier"},
	{"commit", "stage", "what is written in place needs no copy"},
	{"epilogue", "liveness", "what a product takes in has no life of its own"},
	{"elementwise", "liveness", "what stays in registers has no life in the arena"},
	{"dead", "liveness", "an instruction that nobody needs must not keep an operand alive"},
	{"stage", "liveness", "copies for staging are instructions with operands too"},
	{"liveness", "inplace", "only a dying operand leaves its place"},
}

func init() {
	if err := checkOrder(); err != nil {
		panic(err)
	}
}

func checkOrder() error {
	at := map[string]int{}
	for i, p := range passes {
		at[p.name] = i
	}
	for _, o := range order {
		i, ok := at[o.before]
		j, also := at[o.after]
		if !ok || !also || i >= j {
			return fmt.Errorf("vm: pass %q must run before %q: %s", o.before, o.after, o.because)
		}
	}
	return nil
}

// PassInfo describes one pass of the compiler, for people.
type PassInfo struct {
	Name, Why string
	Optional  bool // may be named in Spec.Without
}

// Passes lists the compiler's passes in the order they run.
func Passes() []PassInfo {
	list := make([]PassInfo, len(passes))
	for i, p := range passes {
		list[i] = PassInfo{p.name, p.why, p.optional}
	}
	return list
}

// copyGraph moves what the roots need into a new graph. Dead code stays behind here and in every later rebuild.
func copyGraph(u *unit) error {
	u.roots = u.wanted()
	u.rebuild(graph.Rebuild{})
	return nil
}

// rebuild replaces the private graph by a fresh one, so that ids keep the order in which the user wrote things.
func (u *unit) rebuild(r graph.Rebuild) {
	if r.Into == nil {
		r.Into = graph.New()
	}
	u.roots = r.Run(u.roots...)
	u.fired(r.Fired)
}

// replace puts something in the place of every node that matches; without any, the graph stays as it is.
func (u *unit) replace(match func(n *graph.Node) bool, with func(in []*graph.Node) *graph.Node) {
	if !slices.ContainsFunc(u.roots[0].Graph().Nodes(), match) {
		return
	}
	u.rebuild(graph.Rebuild{Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if match(n) {
			return with(in)
		}
		return nil
	}})
}

// resolveMode:  bymode(train, eval)  →  train  or  eval
func resolveMode(u *unit) error {
	branch := 1
	if u.spec.Mode == Train {
		branch = 0
	}
	u.replace(func(n *graph.Node) bool { return n.Is(ops.ByModeDef) }, func(in []*graph.Node) *graph.Node { return in[branch] })
	return nil
}

// eraseIdentities:  f(stopgradient(x))  →  f(x)
func eraseIdentities(u *unit) error {
	isIdentity := func(n *graph.Node) bool { return n.Def() != nil && n.Def().Traits.Has(graph.Identity) }
	u.replace(isIdentity, func(in []*graph.Node) *graph.Node { return in[0] })
	return nil
}

// applyRules:  log(softmax(x))  →  logsoftmax(x),  and the other rows of the catalogue; and
// add(x, broadcast(y))  →  add(x, y),  and  sum(scatteralongaxis(x, i))  →  sum(x)
func applyRules(u *unit) error {
	readers := map[*graph.Node]int{} // of what is scattered
	for _, n := range graph.Reachable(u.roots...) {
		for _, x := range n.Inputs() {
			if x.Is(ops.ScatterAlongAxisDef) {
				readers[x]++
			}
		}
	}
	u.rebuild(graph.Rebuild{Rules: rules, Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if n.Is(ops.SumDef) && readers[n.In(0)] > 1 {
			return sumOfScattered(n, in[0])
		}
		return dropBroadcasts(n, in)
	}})
	return nil
}

// sumOfScattered sums what was scattered along one axis before it is, for where each element goes does not change the sum. It is for
// what has another reader too: that an index is out of range would not come up if nothing else were computed with it.
func sumOfScattered(sum, scattered *graph.Node) *graph.Node {
	axes := ops.Axes(sum)
	if !scattered.Is(ops.ScatterAlongAxisDef) || !slices.Equal(axes, ops.Axes(scattered)) {
		return nil
	}
	return ops.Sum(scattered.In(0), axes...)
}

// dropBroadcasts lets a pointwise operator repeat its operands itself, or its result be repeated in place of them.
func dropBroadcasts(n *graph.Node, in []*graph.Node) *graph.Node {
	if _, ok := elementwiseOps[n.Def()]; !ok || !slices.ContainsFunc(in, isBroadcast) {
		return nil
	}
	fewer := slices.Clone(in)
	for k, x := range in {
		if !isBroadcast(x) {
			continue
		}
		if fewer[k] = x.In(0); fewer[k].Is(ops.ReshapeDef) && fewer[k].In(0).Shape().Rank() == 0 { // a scalar, which rules recognise
			fewer[k] = fewer[k].In(0)
		}
	}
	m := graph.Apply(n.Def(), n.Attr(), fewer...)
	if m.Err() == nil && !m.Type().Identical(n.Type()) {
		m = ops.BroadcastTo(m, n.Shape()...)
	}
	if m.Err() != nil {
		return nil
	}
	return m
}

func isBroadcast(n *graph.Node) bool { return n.Is(ops.BroadcastToDef) }

// foldLimit is the largest value, in bytes, that folding may put into a program.
const foldLimit = 1 << 16

// foldConstants:  mul(2, 3)  →  6
func foldConstants(u *unit) error {
	isConstant := func(x *graph.Node) bool { return x.Kind() == graph.Constant }
	first := func(n *graph.Node) bool {
		return foldable(n) && !slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return !isConstant(x) })
	}
	if !slices.ContainsFunc(u.roots[0].Graph().Nodes(), first) {
		return nil
	}
	into := graph.New()
	u.rebuild(graph.Rebuild{Into: into, Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if !foldable(n) || slices.ContainsFunc(in, func(x *graph.Node) bool { return !isConstant(x) }) {
			return nil
		}
		return fold(n, in, into)
	}})
	return nil
}

// foldable reports whether n may be computed at compile time if its operands are constants.
func foldable(n *graph.Node) bool {
	d := n.Def()
	if d == nil || n.Type().IsTuple() || d.Traits.Has(graph.Impure) || d.CanCompute(n.DType()) != nil || !n.Shape().IsStatic() {
		return false
	}
	size := n.Shape().Size()
	return int(size)*n.DType().Size() <= foldLimit
}

// fold computes n from constants, or returns nil where it fails: it will fail again when it runs, with the instruction's name.
// So does an operator that asks for the size of a symbol.
func fold(n *graph.Node, in []*graph.Node, into *graph.Graph) *graph.Node {
	call := graph.Call{Attr: n.Attr(), Binding: graph.Binding{}}
	types := make([]graph.Type, len(in))
	for i, x := range in {
		call.In = append(call.In, x.Value())
		types[i] = x.Type()
	}
	shape := make([]int, len(n.Shape()))
	for i, d := range n.Shape() {
		shape[i] = int(d)
	}
	call.Out = []graph.Array{graph.NewArray(n.DType(), shape...)}
	if n.Def().Scratch != nil {
		var bytes int
		if protect(func() (err error) { bytes, err = n.Def().Scratch(n.Attr(), types).Eval(nil); return err }) != nil {
			return nil
		}
		call.Scratch = alignedBytes(bytes)
	}
	if protect(func() error { return n.Def().Run(&call) }) != nil {
		return nil
	}
	return into.Constant(call.Out[0])
}

// expand:  swish(x)  →  mul(x, sigmoid(x))
func expand(u *unit) error {
	isComposed := func(n *graph.Node) bool { return n.Def() != nil && n.Def().Expand != nil }
	if !slices.ContainsFunc(u.roots[0].Graph().Nodes(), isComposed) {
		return nil
	}
	u.rebuild(graph.Rebuild{Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if !isComposed(n) {
			return nil
		}
		return n.Def().Expand(n.Attr(), in)
	}})
	return nil
}

// protect turns a panic of f, which may be a user's operator, into an error.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return f()
}
