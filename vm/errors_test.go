package vm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// compileAndRun is all that a user does with an expression: it returns the first error.
func compileAndRun(g *graph.Graph, n *graph.Node, feeds vm.Feeds, updates ...graph.Update) error {
	spec := vm.Spec{Updates: updates, Mode: vm.Train}
	if n != nil {
		spec.Outputs = []*graph.Node{n}
	}
	p, err := vm.Compile(spec)
	if err != nil {
		return err
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		return err
	}
	before := fmt.Sprint(s.Snapshot())
	m, err := vm.NewMachine(p, s)
	if err != nil {
		return err
	}
	if err = m.FeedAll(feeds); err == nil {
		err = m.Run(context.Background())
	}
	if after := fmt.Sprint(s.Snapshot()); err != nil && after != before {
		return fmt.Errorf("%w, and the state changed", err)
	}
	return err
}

// Every mistake gives one error of the right kind, with the user's line and what would fix it; nothing panics, and the state is
// as before.
func TestBadInput(t *testing.T) {
	batch := graph.Symbol("batch")
	f32 := func(dims ...int) any {
		n := 1
		for _, d := range dims {
			n *= d
		}
		return dense(dims, make([]float32, n))
	}
	cases := []struct {
		name string
		try  func(g *graph.Graph) error
		kind error
		want string // the message, with LINE for the user's line
	}{
		{"wrong shapes", func(g *graph.Graph) error {
			x, w := g.Input("x", graph.Float32, batch, 784), g.Param("encoder.0.weight", graph.Float32, graph.Zeros(), 512, 128)
			return compileAndRun(g, ops.MatMul(x, w), nil)
		}, graph.ErrShape, "LINE: matmul(x, encoder.0.weight): inner dimensions differ: (batch, 784) · (512, 128); columns of the first (784) must equal rows of the second (512)"},
		{"transposed by mistake", func(g *graph.Graph) error {
			x, w := g.Input("x", graph.Float32, batch, 784), g.Param("w", graph.Float32, graph.Zeros(), 128, 784)
			return compileAndRun(g, ops.Affine(x, w, nil), nil)
		}, graph.ErrShape, "LINE: matmul(x, w): inner dimensions differ: (batch, 784) · (128, 784); columns of the first (784) must equal rows of the second (128); transposing the second operand would fit"},
		{"shapes that do not broadcast", func(g *graph.Graph) error {
			return compileAndRun(g, ops.Add(g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Float32, 4)), nil)
		}, graph.ErrShape, "LINE: add(x, y): shapes (batch, 3) and (4) do not fit: 3 is not 4"},
		{"a symbol against a size", func(g *graph.Graph) error {
			return compileAndRun(g, ops.Add(g.Input("x", graph.Float32, batch), g.Input("y", graph.Float32, 4)), nil)
		}, graph.ErrShape, "LINE: add(x, y): shapes (batch) and (4) may not fit: whether batch is 4 is known only at run time; if it is, say so with ops.AssertDim(x, axis, 4)"},
		{"an assertion that does not hold", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, batch)
			return compileAndRun(g, ops.AssertDim(x, 0, 4), vm.Feeds{x: []float32{1, 2, 3}})
		}, graph.ErrShape, "LINE: assertdim(x): dimension 0 is 3, but was asserted to be 4, which is 4 (instruction 0)"},
		{"mixed dtypes", func(g *graph.Graph) error {
			return compileAndRun(g, ops.Mul(g.Input("x", graph.Float32, batch), g.Input("y", graph.Float64, batch)), nil)
		}, graph.ErrDType, "LINE: mul(x, y): element types differ: float32(batch) and float64(batch); make them one with ops.Cast, or with g.Full(graph.Float32, v) where a number is meant"},
		{"arithmetic on integers", func(g *graph.Graph) error {
			return compileAndRun(g, ops.Exp(g.Input("labels", graph.Int64, batch)), nil)
		}, graph.ErrDType, "LINE: exp(labels): needs float32 or float64, not int64(batch); convert with ops.Cast"},
		{"mixed graphs", func(g *graph.Graph) error {
			return compileAndRun(g, ops.Add(g.Input("x", graph.Float32, 2), graph.New().Input("y", graph.Float32, 2)), nil)
		}, graph.ErrGraph, "LINE: add(x, y): operand 1 (y, LINE) belongs to another graph; an expression stays in one"},
		{"a nil operand", func(g *graph.Graph) error {
			return compileAndRun(g, ops.Add(g.Input("x", graph.Float32, 2), nil), nil)
		}, graph.ErrGraph, "LINE: add(x, nil): operand 1 is nil"},
		{"an invalid node further on", func(g *graph.Graph) error {
			bad := ops.MatMul(g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Float32, 4, 5))
			grads := autodiff.Grad(ops.Sum(ops.ReLU(bad)), g.Input("z", graph.Float32, 2))
			return compileAndRun(g, grads[0], nil)
		}, graph.ErrShape, "LINE-2: matmul(x, y): inner dimensions differ: (batch, 3) · (4, 5); columns of the first (3) must equal rows of the second (4)"},
		{"a missing feed", func(g *graph.Graph) error {
			x, y := g.Input("x", graph.Float32, 1), g.Input("y", graph.Float32, 1)
			return compileAndRun(g, ops.Add(x, y), vm.Feeds{x: []float32{1}})
		}, graph.ErrFeed, "LINE-1: y: missing feed: the program needs it; call Feed before Run"},
		{"an unknown feed", func(g *graph.Graph) error {
			x, y := g.Input("x", graph.Float32, 1), g.Input("y", graph.Float32, 1)
			return compileAndRun(g, ops.Exp(x), vm.Feeds{x: []float32{1}, y: []float32{1}})
		}, graph.ErrFeed, "LINE-1: y: unknown feed: this program does not need it; it needs: x"},
		{"a feed of something else", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, 1)
			return compileAndRun(g, ops.Exp(x), vm.Feeds{x: []float32{1}, ops.Neg(x): []float32{1}})
		}, graph.ErrFeed, "LINE: neg(x): only inputs are fed, and this is of the kind op; the program needs: x"},
		{"a feed of the wrong shape", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, batch, 3)
			return compileAndRun(g, ops.Exp(x), vm.Feeds{x: f32(2, 4)})
		}, graph.ErrShape, "LINE-1: x: fed shape (2, 4), declared (batch, 3)"},
		{"a feed of the wrong dtype", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, batch)
			return compileAndRun(g, ops.Exp(x), vm.Feeds{x: []float64{1}})
		}, graph.ErrDType, "LINE-1: x: fed float64, declared float32(batch)"},
		{"a feed that is no tensor", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, batch)
			return compileAndRun(g, ops.Exp(x), vm.Feeds{x: "one"})
		}, graph.ErrDType, "LINE-1: x: a string is no tensor value; use *tensor.Dense, a slice or a number of float32, float64, int32, int64, int or bool"},
		{"batches that disagree", func(g *graph.Graph) error {
			x, y := g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Int64, batch)
			return compileAndRun(g, losses.CrossEntropy(x, y), vm.Feeds{x: f32(2, 3), y: []int64{0, 1, 2}})
		}, graph.ErrFeed, "LINE-1: y: the feeds disagree: batch is 2 in x but 3 in y"},
		{"a label that is no class", func(g *graph.Graph) error {
			x, y := g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Int64, batch)
			return compileAndRun(g, losses.CrossEntropy(x, y), vm.Feeds{x: f32(2, 3), y: []int64{0, 3}})
		}, graph.ErrValue, "LINE: takealongaxis(logsoftmax(x), reshape(y)): index 3 (element 1 of the indices) is outside 0…2 of axis 1 (instruction 1)"},
		{"a NaN learning rate", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, nil, nil, optim.SGD{LR: math.NaN()}.Updates([]*graph.Node{w}, autodiff.Grad(ops.Sum(w), w))...)
		}, graph.ErrValue, "LINE: sgd: the learning rate is NaN; it must be a finite number from 0 up"},
		{"a negative learning rate", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, nil, nil, optim.Adam{LR: -1}.Updates([]*graph.Node{w}, autodiff.Grad(ops.Sum(w), w))...)
		}, graph.ErrValue, "LINE: adam: the learning rate is -1; it must be a finite number from 0 up"},
		{"a negative dimension", func(g *graph.Graph) error {
			return compileAndRun(g, g.Input("x", graph.Float32, batch, -3), nil)
		}, graph.ErrShape, "LINE: input x: dimension 1 is negative: -3; a size that is known only at run time is a graph.Symbol(name)"},
		{"a product that overflows", func(g *graph.Graph) error {
			return compileAndRun(g, g.Input("x", graph.Float32, batch, 1<<40, 1<<40), nil)
		}, graph.ErrShape, "LINE: input x: the size of float32(batch, 1099511627776, 1099511627776) overflows: the product of its dimensions must stay below 2^63 bytes"},
		{"a product that overflows at run time", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, batch)
			big := ops.BroadcastTo(ops.Reshape(x, batch, 1, 1), batch, 1<<30, 1<<30)
			return compileAndRun(g, ops.Exp(big), vm.Feeds{x: make([]float32, 1024)})
		}, graph.ErrShape, "LINE: broadcast(exp(…)): the size of (batch, 1073741824, 1073741824) overflows"},
		{"a symbolic parameter", func(g *graph.Graph) error {
			return compileAndRun(g, g.Param("w", graph.Float32, graph.Zeros(), batch), nil)
		}, graph.ErrShape, "LINE: param w: shape (batch) has a symbol; what a State holds needs fixed sizes"},
		{"an empty batch under a mean", func(g *graph.Graph) error {
			x, y := g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Int64, batch)
			return compileAndRun(g, losses.CrossEntropy(x, y), vm.Feeds{x: f32(0, 3), y: []int64{}})
		}, graph.ErrValue, "LINE: mean(reshape(…)): the mean of no elements: the operand has shape [0]; an empty batch must not reach it (instruction 2)"},
		{"a gradient of something unrelated", func(g *graph.Graph) error {
			x, w := g.Input("x", graph.Float32, batch), g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, autodiff.Grad(ops.Sum(x), w)[0], nil)
		}, graph.ErrGradient, "LINE: grad(sum(x)): w, declared at LINE-1: the root sum(x) does not depend on it; pass autodiff.Options{AllowUnused: true} if zeros are meant"},
		{"a gradient that is cut off", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, autodiff.Grad(ops.Sum(ops.StopGradient(w)), w)[0], nil)
		}, graph.ErrGradient, "LINE: grad(sum(stopgradient(w))): w, declared at LINE-1: the root sum(stopgradient(w)) depends on it only through operators that pass no gradient (comparisons, integer results, stopgradient)"},
		{"a gradient of a vector", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, autodiff.Grad(ops.Exp(w), w)[0], nil)
		}, graph.ErrGradient, "LINE: grad(exp(w)): the root has shape (2), but a gradient is of a scalar; reduce it with ops.Mean or ops.Sum, or give the cotangent with autodiff.VJP"},
		{"a gradient by an integer", func(g *graph.Graph) error {
			y := g.Input("y", graph.Int64, batch)
			return compileAndRun(g, autodiff.Grad(ops.Sum(ops.Cast(y, graph.Float32)), y)[0], nil)
		}, graph.ErrDType, "LINE: grad(sum(cast(y))): node 0, y, is int64(batch); only float32 and float64 have gradients"},
		{"an operator without a gradient", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			bare := &graph.Def{Name: "bare", Infer: ops.ExpDef.Infer, Pointwise: ops.ExpDef.Pointwise}
			y := graph.Apply(bare, nil, w)
			return compileAndRun(g, autodiff.Grad(ops.Sum(y), w)[0], nil)
		}, graph.ErrGradient, "LINE-1: bare(w): operator bare offers no gradient (Def.VJP is nil); ops.StopGradient cuts it off where none is wanted"},
		{"an operator without a kernel", func(g *graph.Graph) error {
			bare := &graph.Def{Name: "bare", Infer: ops.ExpDef.Infer}
			return compileAndRun(g, graph.Apply(bare, nil, g.Param("w", graph.Float32, graph.Zeros(), 2)), nil)
		}, graph.ErrOperator, "LINE: bare(w): operator bare offers no way to compute it (neither Eval nor Pointwise)"},
		{"an operator without a kernel of the type", func(g *graph.Graph) error {
			half := &graph.Def{Name: "half", Infer: ops.ExpDef.Infer, Pointwise: &graph.Pointwise{F64: ops.ExpDef.Pointwise.F64}}
			return compileAndRun(g, graph.Apply(half, nil, g.Param("w", graph.Float32, graph.Zeros(), 2)), nil)
		}, graph.ErrOperator, "LINE: half(w): operator half offers no block function for float32 (Def.Pointwise.F32 is nil)"},
		{"a learning rate node that is NaN", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			rate := g.Full(graph.Float64, math.NaN())
			return compileAndRun(g, nil, nil, optim.SGD{Rate: rate}.Updates([]*graph.Node{w}, autodiff.Grad(ops.Sum(w), w))...)
		}, graph.ErrValue, "LINE: sgd: the learning rate is NaN; it must be a finite number from 0 up"},
		{"an operator that panics", func(g *graph.Graph) error {
			broken := &graph.Def{Name: "broken", Infer: ops.ExpDef.Infer, Eval: func(c *graph.Call) error { return c.Attr.(error) }}
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, nil, nil, graph.Update{Target: w, Value: graph.Apply(broken, nil, w)})
		}, graph.ErrOperator, "LINE: broken(w): panicked: interface conversion: interface is nil, not error (instruction 0)"},
		{"a name that is taken", func(g *graph.Graph) error {
			g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, g.Input("w", graph.Float32, 2), nil)
		}, graph.ErrName, "LINE: input w: the name \"w\" is taken by the param of LINE-1; give each leaf its own"},
		{"two updates of one parameter", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, nil, nil, graph.Update{Target: w, Value: w}, graph.Update{Target: w, Value: ops.Neg(w)})
		}, graph.ErrName, "LINE-1: w: w is updated twice in one program"},
		{"an update of an input", func(g *graph.Graph) error {
			x := g.Input("x", graph.Float32, 2)
			return compileAndRun(g, nil, nil, graph.Update{Target: x, Value: ops.Neg(x)})
		}, graph.ErrGraph, "LINE-1: x: an update's target must be a parameter or a variable, not the kind input"},
		{"an update of another shape", func(g *graph.Graph) error {
			w := g.Param("w", graph.Float32, graph.Zeros(), 2)
			return compileAndRun(g, nil, nil, graph.Update{Target: w, Value: ops.Sum(w)})
		}, graph.ErrShape, "LINE: sum(w): the update of w is float32, but w is float32(2)"},
		{"nothing to compile", func(g *graph.Graph) error { return compileAndRun(g, nil, nil) },
			graph.ErrGraph, "nothing to compile: Spec has no outputs and no updates"},
		{"a size that nothing gives", func(g *graph.Graph) error {
			return compileAndRun(g, ops.BroadcastTo(g.Full(graph.Float32, 1), graph.Symbol("unfed")), nil)
		}, graph.ErrShape, "LINE: broadcast(1): nothing says what size unfed has: no input of this program has it as a dimension"},
		{"a size that nothing gives to an operator", func(g *graph.Graph) error {
			return compileAndRun(g, ops.DimSize(g, graph.Symbol("unfed"), graph.Float32), nil)
		}, graph.ErrShape, "LINE: dimsize(): nothing says what size unfed has: no input of this program has it as a dimension"},
		{"a linear layer on the wrong rank", func(g *graph.Graph) error {
			return compileAndRun(g, nn.Build(g, nn.Sequential{&nn.Linear{Out: 3}}, g.Input("x", graph.Float32, 3, batch)), nil)
		}, graph.ErrShape, `LINE: Linear "0": takes (…, in) with a fixed size of in, not (3, batch)`},
		{"a loss of the wrong types", func(g *graph.Graph) error {
			return compileAndRun(g, losses.CrossEntropy(g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Float32, batch)), nil)
		}, graph.ErrShape, "LINE: crossentropy(x, y): takes logits float(batch, classes, …) and labels int(batch, …), or targets of the logits' type; with float32(batch, 3) the targets must be float32(batch, 3), not float32(batch)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := c.try(graph.New())
			if err == nil {
				t.Fatal("no error")
			}
			got := relativeLines(err.Error())
			if got != c.want {
				t.Errorf("got\n  %s\nwant\n  %s", got, c.want)
			}
			if !errors.Is(err, c.kind) {
				t.Errorf("errors.Is(err, %v) is false for %v", c.kind, err)
			}
			if stack := fmt.Sprintf("%+v", err); !strings.Contains(stack, "errors_test.go") {
				t.Errorf("%%+v does not lead to the user's code:\n%s", stack)
			}
		})
	}
}
