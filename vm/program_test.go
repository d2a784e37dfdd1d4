package vm_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func TestPassOrder(t *testing.T) {
	if err := vm.CheckOrder(); err != nil {
		t.Error(err)
	}
	for _, p := range vm.Passes() {
		if p.Why == "" {
			t.Errorf("pass %s says no reason", p.Name)
		}
	}
	if _, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{graph.New().Constant(1.0)}, Without: []string{"lower"}}); err == nil {
		t.Error("a pass that is not optional was left out")
	}
}

// The architecture page lists the passes in their order, and marks those that may be left out.
func TestTheArchitecturePageListsThePasses(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(page)
	for _, p := range vm.Passes() {
		row := "\n| " + p.Name + " | "
		if p.Optional {
			row = "\n| " + p.Name + ` \* | `
		}
		_, after, found := strings.Cut(rest, row)
		if !found {
			t.Fatalf("docs/architecture.md has no row %q where the order of the passes wants it", row)
		}
		rest = "\n" + after
	}
}

// operations returns the tape's right-hand sides.
func operations(p *vm.Program) (list []string) {
	for _, line := range strings.Split(p.String(), "\n") {
		if _, op, ok := strings.Cut(line, " = "); ok {
			fields := strings.Split(strings.TrimSpace(op), "  ")
			list = append(list, fields[0])
		}
	}
	return list
}

func TestTheTape(t *testing.T) {
	batch := graph.Symbol("batch")
	g := graph.New()
	x := g.Input("x", graph.Float32, batch, 4)
	w, b := g.Param("w", graph.Float32, graph.Zeros(), 4, 3), g.Param("b", graph.Float32, graph.Zeros(), 3)
	v := g.Param("v", graph.Float32, graph.Zeros(), 3, 4)
	y := g.Input("y", graph.Float32, batch, 4)
	column, row := ops.SumKeep(x, 1), ops.Mean(x, 0)
	affine := ops.Affine(x, w, b)
	h0 := g.Input("h0", graph.Float32, 3)
	product := ops.Mul(x, y)
	h, none := g.Input("h", graph.Float32, batch, 3), g.Full(graph.Float32, 0)
	seq, out := g.Input("seq", graph.Float32, batch, 5, 4), g.Input("out", graph.Float32, batch, 5, 3)
	heads, row5, square := g.Input("heads", graph.Float32, batch, 5, 2, 4), g.Input("row", graph.Float32, 5), g.Input("square", graph.Float32, batch, 5, 5)
	masked := ops.Select(ops.Greater(h, none), ops.MatMul(y, ops.Transpose(v)), none)
	cases := []struct {
		name    string
		outputs []*graph.Node
		want    []string
	}{
		{"an affine map and its activation are one instruction", []*graph.Node{ops.ReLU(affine)},
			[]string{"affine(x, w, b) matmul+add+relu"}},
		{"the bias may come first", []*graph.Node{ops.Tanh(ops.Add(b, ops.MatMul(x, w)))},
			[]string{"affine(x, w, b) matmul+add+tanh"}},
		{"a product alone", []*graph.Node{ops.Sigmoid(ops.MatMul(x, w))},
			[]string{"affine(x, w) matmul+sigmoid"}},
		{"an activation with a parameter", []*graph.Node{ops.ELU(affine, 0.5), ops.LeakyReLU(ops.MatMul(y, w), 0.1)},
			[]string{"affine(x, w, b) matmul+add+elu", "affine(y, w) matmul+leakyrelu"}},
		{"one that the kernel does not have", []*graph.Node{ops.GELU(ops.Affine(y, w, b))},
			[]string{"affine(y, w, b) matmul+add+gelu"}},
		{"one that is composed", []*graph.Node{ops.Softsign(ops.Affine(y, w, b))},
			[]string{"affine(y, w, b, -1e+30, 1e+30, 1) matmul+add+maximum+minimum+abs+add+div"}},
		{"a value that is asked for stays", []*graph.Node{affine, ops.ReLU(affine)},
			[]string{"affine(x, w, b) matmul+add", "relu(s4)"}},
		{"pointwise operators that alone read a product are its epilogue", []*graph.Node{ops.Add(ops.ReLU(affine), ops.Tanh(affine))},
			[]string{"affine(x, w, b) matmul+add+relu+tanh+add"}},
		{"a product with two readers stays", []*graph.Node{ops.ReLU(affine), ops.Softmax(affine, 1)},
			[]string{"affine(x, w, b) matmul+add", "relu(s4)", "softmax(s4) {axis=1}"}},
		{"a skip connection joins the product", []*graph.Node{ops.Add(y, ops.Tanh(ops.MatMul(ops.ReLU(affine), v)))},
			[]string{"affine(x, w, b) matmul+add+relu", "affine(s5, v, y) matmul+tanh+add"}},
		{"a relu's derivative and the sums of columns", []*graph.Node{ops.Sum(masked, 0), ops.MatMul(ops.Transpose(x), masked)},
			[]string{"affine(y, vᵀ, h) matmul+relu′+sum", "matmul(xᵀ, s8)"}},
		{"transposes are absorbed", []*graph.Node{ops.MatMul(x, ops.Transpose(v))},
			[]string{"matmul(x, vᵀ)"}},
		{"a batch of rows is one product, with bias and activation", []*graph.Node{ops.Tanh(ops.Affine(seq, w, b))},
			[]string{"affine(seq, w, b) matmul+add+tanh"}},
		{"and so is its gradient by the weights, and by the bias", []*graph.Node{
			autodiff.Grad(ops.Sum(ops.Mul(ops.ReLU(ops.Affine(seq, w, b)), out)), w)[0], autodiff.Grad(ops.Sum(ops.Mul(ops.ReLU(ops.Affine(seq, w, b)), out)), b)[0]},
			[]string{"affine(seq, w, b, 0, out) matmul+add+relu+less+select+sum", "matmul(seq as (5*batch, 4)ᵀ, s9 as (5*batch, 3))"}},
		{"each product of a batch has the epilogue", []*graph.Node{ops.Add(ops.ReLU(ops.Add(ops.MatMul(seq, ops.Transpose(seq, 0, 2, 1)), row5)), square)},
			[]string{"affine(seq, seqᵀ, row, square) matmul+add+relu+add"}},
		{"heads are read where they are", []*graph.Node{ops.MatMul(ops.Transpose(heads, 0, 2, 1, 3), ops.Transpose(heads, 0, 2, 3, 1))},
			[]string{"matmul(headsᵀ[0 2 1 3], headsᵀ[0 2 3 1])"}},
		{"a column is no bias, but an operand of the epilogue", []*graph.Node{ops.Add(ops.MatMul(x, w), ops.SumKeep(x, 1))},
			[]string{"sum(x) {axes=[1]}", "affine(x, w, s2 as (batch, 1)) matmul+add"}},
		{"stable forms", []*graph.Node{ops.Log(ops.Softmax(x, 1)), ops.Log(ops.AddScalar(ops.Exp(x), 1)), ops.Log(ops.Sigmoid(x))},
			[]string{"logsoftmax(x) {axis=1}", "elementwise(x) softplus+neg+softplus+neg"}},
		{"constants are folded", []*graph.Node{ops.Mul(x, ops.Exp(ops.Mul(g.Full(graph.Float32, 0), g.Full(graph.Float32, 2))))},
			[]string{"mul(x, 1)"}},
		{"equal expressions are one", []*graph.Node{ops.Add(ops.Exp(x), ops.Exp(x))},
			[]string{"elementwise(x) exp+add"}},
		{"a mask lives in a register", []*graph.Node{ops.Select(ops.Greater(x, g.Full(graph.Float32, 0)), ops.Exp(x), x)},
			[]string{"elementwise(0, x) less+exp+select"}},
		{"a mask that is asked for is a value", []*graph.Node{ops.Less(x, x), ops.Select(ops.Less(x, x), x, ops.Exp(x))},
			[]string{"less(x, x)", "exp(x)", "select(s2, x, s1)"}},
		{"logic of masks, too", []*graph.Node{ops.Select(ops.Not(ops.And(ops.Less(x, ops.Scalar(x, 0)), ops.Not(ops.IsNaN(x)))), ops.Exp(x), x)},
			[]string{"elementwise(x, 0) less+notequal+not+and+exp+select"}},
		{"an operator without opcode is called block by block", []*graph.Node{ops.Mul(ops.Tan(x), ops.Atan2(x, ops.Scalar(x, 2)))},
			[]string{"elementwise(x, 2) tan+atan2+mul"}},
		{"a composed operator fuses", []*graph.Node{ops.Exp(ops.Clamp(x, -1, 1))},
			[]string{"elementwise(x, -1, 1) maximum+minimum+exp"}},
		{"rows, columns and scalars are read as they are", []*graph.Node{ops.Mul(ops.Add(ops.Scale(y, 2), column), row)},
			[]string{"sum(x) {axes=[1]}", "mean(x) {axes=[0]}", "elementwise(y, 2, s2 as (batch, 1), s4) mul+add+mul"}},
		{"another shape is another program", []*graph.Node{ops.Sum(ops.Sqrt(ops.Neg(x))), ops.Sqrt(ops.Neg(h0))},
			[]string{"elementwise(x) neg+sqrt+sum", "elementwise(h0) neg+sqrt"}},
		{"a loss is one pass", []*graph.Node{ops.Mean(ops.Square(ops.Sub(x, y)))},
			[]string{"elementwise(x, y) sub+mul+mean"}},
		{"sums of rows, of a value that stays", []*graph.Node{ops.Sum(product, 1), ops.Softmax(product, 1)},
			[]string{"rows(x, y) mul+sum; softmax"}},
		{"a sum over the first axis is none of rows", []*graph.Node{ops.Sum(product, 0)},
			[]string{"mul(x, y)", "sum(s3) {axes=[0]}"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, vm.Spec{Outputs: c.outputs})
			got := operations(p)
			if len(got) != len(c.want) {
				t.Fatalf("%d instructions, want %d:\n%v", len(got), len(c.want), p)
			}
			for i := range got {
				if stripSlots(got[i]) != stripSlots(c.want[i]) {
					t.Errorf("instruction %d is %q, want %q\n%v", i, got[i], c.want[i], p)
				}
			}
		})
	}
}

// stripSlots replaces slot numbers, which depend on what else was lowered.
func stripSlots(op string) string {
	var b strings.Builder
	for i := 0; i < len(op); i++ {
		if op[i] == 's' && i > 0 && strings.ContainsRune("( ", rune(op[i-1])) && i+1 < len(op) && op[i+1] >= '0' && op[i+1] <= '9' {
			b.WriteByte('s')
			for i+1 < len(op) && op[i+1] >= '0' && op[i+1] <= '9' {
				i++
			}
			continue
		}
		b.WriteByte(op[i])
	}
	return b.String()
}

// The backward pass of a first layer computes no gradient for the input.
func TestNoGradientForTheInput(t *testing.T) {
	n := newNetwork(graph.Float32, nn.ReLU, 6, 5, 4)
	p := compile(t, vm.Spec{Outputs: autodiff.Grad(n.loss, n.params...), Mode: vm.Train})
	products := 0
	for _, op := range operations(p) {
		if strings.Contains(op, "matmul") {
			products++
			if strings.Contains(op, "0.weightᵀ") {
				t.Errorf("dX of the first layer is computed: %s", op)
			}
		}
	}
	if products != 5 { // two forward, dW of both layers, dX of the second
		t.Errorf("%d products:\n%v", products, p)
	}
}

// The same graph compiles to the same tape, byte for byte.
func TestCompilingIsDeterministic(t *testing.T) {
	var want string
	for range 3 {
		n := newNetwork(graph.Float32, nn.Tanh, 8, 7, 6, 5)
		p := compile(t, vm.Spec{Outputs: []*graph.Node{n.loss}, Updates: optim.Adam{}.Updates(n.params, autodiff.Grad(n.loss, n.params...)), Mode: vm.Train})
		text := p.String() + p.Format(graph.Binding{n.batch: 32})
		if want == "" {
			want = text
		}
		if diff := cmp.Diff(want, text); diff != "" {
			t.Fatal(diff)
		}
	}
}

// The memory that a program needs is known before it runs, close to the least possible, and enough.
func TestMemory(t *testing.T) {
	for _, widths := range [][]int{{64, 64, 32, 10}, {784, 256, 128, 10}, {16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 4}} {
		n := newNetwork(graph.Float32, nn.ReLU, widths...)
		p := compile(t, vm.Spec{Outputs: []*graph.Node{n.loss}, Updates: optim.Adam{}.Updates(n.params, autodiff.Grad(n.loss, n.params...)), Mode: vm.Train})
		for _, rows := range []int{1, 32, 512} {
			b := graph.Binding{n.batch: rows}
			bytes, err := p.Memory(b)
			if err != nil {
				t.Fatal(err)
			}
			least, err := p.LowerBound(b)
			if err != nil {
				t.Fatal(err)
			}
			if bytes < least {
				t.Errorf("%v at batch %d: %d bytes planned, but %d are alive at once", widths, rows, bytes, least)
			}
			if float64(bytes) > 1.1*float64(least) {
				t.Errorf("%v at batch %d: %d bytes, %.2f of the lower bound %d", widths, rows, bytes, float64(bytes)/float64(least), least)
			}
		}
	}
}

// A chain that writes several results, of which one takes the place of a dying operand that other steps still read, agrees with
// the plain program; also where work is split into parts.
func TestElementwiseProgramsInPlaceAndInParts(t *testing.T) {
	for _, shape := range [][]int{{70_000}, {300, 257}, {3, 40_000}, {1, 1}, {0, 5}} {
		g := graph.New()
		dims := make([]graph.Dim, len(shape))
		n := 1
		for i, s := range shape {
			dims[i], n = graph.Symbol("d"+string(rune('0'+i))), n*s
		}
		x := g.Input("x", graph.Float64, dims...)
		a := ops.Exp(ops.Transpose(ops.Transpose(ops.Neg(x)))) // an operand that dies
		total := ops.Sum(a)
		b := ops.Add(ops.Mul(a, a), a)
		c := ops.Sub(b, ops.Sqrt(a))
		d := ops.Select(ops.Less(c, b), ops.Mul(c, a), c)
		outputs := []*graph.Node{total, b, d}
		fed := make([]float64, n)
		for i := range fed {
			fed[i] = float64(i%17)/8 - 1
		}
		var want [][]float64
		for _, without := range [][]string{{"elementwise", "inplace"}, nil, {"inplace"}} {
			m := newMachine(t, compile(t, vm.Spec{Outputs: outputs, Without: without}), newState(t, g))
			if err := m.Feed(x, dense(shape, fed)); err != nil {
				t.Fatal(err)
			}
			run(t, m)
			got := [][]float64{values(t, m, total), values(t, m, b), values(t, m, d)}
			if want == nil {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("shape %v without %v: %v", shape, without, diff)
			}
		}
	}
}

// A program in many parts and one with many operands share registers, whichever part gives them back last.
func TestProgramsOfOneMachineShareRegisters(t *testing.T) {
	g := graph.New()
	large := g.Input("large", graph.Float64, 1<<17)
	wide := ops.Square(ops.Exp(large))
	narrow := ops.Exp(ops.Sum(wide))
	for i := range 12 {
		narrow = ops.Add(narrow, g.Input(string(rune('a'+i)), graph.Float64))
	}
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{wide, narrow}}), newState(t, g))
	for _, x := range m.Program().Feeds() {
		var v any = 1.0
		if x == large {
			v = make([]float64, 1<<17)
		}
		if err := m.Feed(x, v); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		run(t, m)
	}
}
