package losses

import (
	"path"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Parameters returns the parameters of g whose dotted names match one of the patterns, as path.Match reads them: "*.weight",
// "encoder.*". Without a pattern, all. A pattern that is malformed, or matches no name and so is most likely misspelt, adds an invalid node
// that says so.
func Parameters(g *graph.Graph, patterns ...string) (matching []*graph.Node) {
	for _, pattern := range patterns {
		_, err := path.Match(pattern, "")
		found := err != nil
		for _, p := range g.Params() {
			ok, _ := path.Match(pattern, p.Name())
			found = found || ok
		}
		if err != nil {
			matching = append(matching, graph.Invalid(graph.Errorf(graph.ErrValue, "the pattern %q: %v", pattern, err), "parameters"))
		} else if !found {
			matching = append(matching, graph.Invalid(graph.Errorf(graph.ErrName, "the pattern %q matches no parameter's name", pattern), "parameters"))
		}
	}
	for _, p := range g.Params() {
		ok := len(patterns) == 0
		for _, pattern := range patterns {
			matches, _ := path.Match(pattern, p.Name())
			ok = ok || matches
		}
		if ok {
			matching = append(matching, p)
		}
	}
	return matching
}

// L1 is factor·Σ|w| over all elements of the parameters, a scalar to be added to a loss: many weights become 0.
//
//	loss = ops.Add(loss, losses.L1(1e-4, losses.Parameters(g, "*.weight")...))
func L1(factor float64, parameters ...*graph.Node) *graph.Node {
	return penalty("l1", factor, parameters, ops.Abs)
}

// L2 is factor·Σw² over all elements of the parameters, a scalar to be added to a loss: weights stay small. What PyTorch's optimisers
// call weight_decay is twice the factor.
func L2(factor float64, parameters ...*graph.Node) *graph.Node {
	return penalty("l2", factor, parameters, ops.Square)
}

func penalty(name string, factor float64, parameters []*graph.Node, f func(*graph.Node) *graph.Node) *graph.Node {
	b := begin(name, nil, 0, parameters...)
	if len(parameters) == 0 {
		b.fail(graph.Errorf(graph.ErrValue, "no parameters; does the pattern match a name?"))
	}
	for _, p := range parameters {
		if b.err == nil && !p.DType().IsFloat() {
			b.fail(graph.Errorf(graph.ErrDType, "%s is %v; penalties are of floats", p.Expr(), p.Type()))
		}
	}
	if b.err != nil {
		return b.invalid()
	}
	sums := make([]*graph.Node, len(parameters))
	for i, p := range parameters {
		sums[i] = ops.Cast(ops.Sum(f(p)), parameters[0].DType())
	}
	return ops.Scale(ops.AddN(sums...), factor)
}
