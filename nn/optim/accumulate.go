package optim

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Accumulator sums gradients over several batches before one step, where a batch of the size one wants does not fit into memory.
// It takes two programs over one State: one that runs for every batch and commits Add, and one that runs after the last and
// commits Step.
//
//	a := optim.Accumulate(params, grads, "sum")
//	add, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss}, Updates: a.Add, Mode: vm.Train})
//	step, err := vm.Compile(vm.Spec{Updates: a.Step(optim.Adam{}), Mode: vm.Train})
type Accumulator struct {
	Add []graph.Update // the gradients of this batch are added to the sums

	params, sums []*graph.Node
	count        *graph.Node
}

// Accumulate declares a variable for the sum of each gradient, "name.<parameter>", and one for their number.
func Accumulate(params, grads []*graph.Node, name string) *Accumulator {
	a := &Accumulator{}
	if len(params) != len(grads) || len(params) == 0 {
		broken := graph.Invalid(graph.Errorf(graph.ErrGraph, "%d parameters and %d gradients to accumulate", len(params), len(grads)), name, params...)
		a.Add = []graph.Update{{Target: broken, Value: broken}}
		return a
	}
	g := params[0].Graph()
	a.count = g.Variable(name+".count", graph.Float64, graph.Zeros())
	a.Add = []graph.Update{{Target: a.count, Value: ops.AddScalar(a.count, 1)}}
	for i, p := range params {
		if grads[i] == nil { // a parameter that the step leaves alone
			continue
		}
		sum := g.Variable(name+"."+p.Name(), p.DType(), graph.Zeros(), p.Shape()...)
		a.params, a.sums = append(a.params, p), append(a.sums, sum)
		a.Add = append(a.Add, graph.Update{Target: sum, Value: ops.Add(sum, grads[i])})
	}
	return a
}

// Grads returns the mean of the gradients that were added, for each parameter, to clip or look at; Step takes these.
func (a *Accumulator) Grads() []*graph.Node {
	var means []*graph.Node
	for _, sum := range a.sums {
		means = append(means, ops.Div(sum, ops.Cast(a.count, sum.DType())))
	}
	return means
}

// Step returns the updates of an optimiser by the mean of the gradients, which also set the sums to 0.
func (a *Accumulator) Step(o Optimizer) []graph.Update {
	if a.count == nil {
		return a.Add // which carries the error
	}
	updates := o.Updates(a.params, a.Grads())
	for _, v := range append(append([]*graph.Node(nil), a.sums...), a.count) {
		updates = append(updates, graph.Update{Target: v, Value: ops.ZerosLike(v)})
	}
	return updates
}
