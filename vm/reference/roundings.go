package reference

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// Roundings returns the values of nodes as Eval does, and for each element by how much roundings move it: the largest change in several
// evaluations in which every float result of every operator, and every float value that is fed or held by the state, is off by a random relative error of up to
// unit, which is 2⁻²⁴ for a computation in float32 and 2⁻⁵³ for one in float64, and in the latter by one unit in the last place. This is the condition
// of each element of each graph, measured: small where the computation is well-conditioned, large beside cancellation, a pole or a jump, infinite where a
// rounding decides whether there is a number, or a result at all. A program that is right is off by a modest multiple of it, as its kernels round some
// times for each operator.
func Roundings(env Env, unit float64, trials int, nodes ...*graph.Node) (values []graph.Array, moved [][]float64, err error) {
	if values, err = Eval(env, nodes...); err != nil {
		return nil, nil, err
	}
	for _, v := range values {
		moved = append(moved, make([]float64, v.Len()))
	}
	random := rand.New(rand.NewPCG(1, 2))
	stir := func(a graph.Array) {
		if a.DType != graph.Float64 {
			return
		}
		for i, v := range a.F64() {
			v *= 1 + unit*(2*random.Float64()-1)
			if unit < 0x1p-52 && v != 0 {
				v = math.Nextafter(v, math.Inf(1-2*random.IntN(2)))
			}
			a.F64()[i] = v
		}
	}
	visit := env.Visit
	env.Visit = func(n *graph.Node, in, out []graph.Array) error {
		for _, a := range out {
			stir(a)
		}
		if visit != nil {
			return visit(n, in, out)
		}
		return nil
	}
	feeds, state := env.Feeds, env.State
	for range trials {
		env.Feeds, env.State = map[*graph.Node]any{}, map[string]any{}
		// In order, so that the same numbers are drawn for the same values.
		for _, n := range slices.SortedFunc(maps.Keys(feeds), func(a, b *graph.Node) int { return a.ID() - b.ID() }) {
			env.Feeds[n] = stirred(feeds[n], stir)
		}
		for _, name := range slices.Sorted(maps.Keys(state)) {
			env.State[name] = stirred(state[name], stir)
		}
		again, err := Eval(env, nodes...)
		if err != nil { // what was asserted hangs on a rounding
			for _, m := range moved {
				for k := range m {
					m[k] = math.Inf(1)
				}
			}
			return values, moved, nil
		}
		for i, a := range again {
			for k := range moved[i] {
				d := math.Abs(a.At(k) - values[i].At(k))
				if d != d && !(math.IsNaN(a.At(k)) && math.IsNaN(values[i].At(k))) {
					d = math.Inf(1)
				}
				if d > moved[i][k] {
					moved[i][k] = d
				}
			}
		}
	}
	return values, moved, nil
}

// stirred is a copy of a value, in Float64 if it is of a float type; what is no value is left for Eval to refuse.
func stirred(v any, stir func(graph.Array)) any {
	a, err := graph.ArrayOf(v)
	if err != nil || !a.DType.IsFloat() {
		return v
	}
	wide := graph.NewArray(graph.Float64, append([]int(nil), a.Shape...)...)
	wide.CopyFrom(a)
	stir(wide)
	return wide
}
