package ops

import "github.com/tapir-ml/tapir/graph"

// AllowNonFiniteDef is the definition of the mark that AllowNonFinite sets.
var AllowNonFiniteDef = new(graph.Def)

// AllowNonFinite returns x, and says that infinities and NaN among its elements are meant: a mask of −Inf before a softmax. Only
// vm.Machine.CheckFinite reads it; the compiler drops it. The cotangent passes unchanged.
func AllowNonFinite(x *graph.Node) *graph.Node { return graph.Apply(AllowNonFiniteDef, nil, x) }

func init() {
	define(AllowNonFiniteDef, graph.Def{
		Name:    "allownonfinite",
		Infer:   inferElementwise(1),
		Eval:    copyAny,
		VJP:     func(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} },
		Traits:  graph.Identity,
		Samples: unarySamples(-1, 1),
	})
}
