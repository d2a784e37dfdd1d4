package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A fused program gives what its steps give one at a time over whole matrices, for every access, region and stride.
func TestProgramMatchesSteps(t *testing.T) {
	eachSet(t, func(t *testing.T) { programMatchesSteps[float32](t); programMatchesSteps[float64](t) })
}

// programArgs is a matrix of rows × cols with stride in every access form.
func programArgs[T Float](rng *rand.Rand, rows, cols, stride int) ([]Access, []Argument[T]) {
	random := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(rng.IntN(9)-4) / 2
		}
		return x
	}
	return []Access{Full, Full, Scalar, Row, Column, Full}, []Argument[T]{
		{random(rows * stride), stride}, {random(rows * stride), stride},
		{random(1), 0}, {random(cols), 0}, {random(rows), 0}, {random(rows * stride), stride},
	}
}

var programOps = []Op{OpCopy, OpTanh, OpReLU, OpAbs, OpAdd, OpSub, OpMul, OpMax, OpMin, OpLess, OpGreaterEqual, OpEqual, OpSelect, OpDiv, OpCall}

func randomProgram[T Float](rng *rand.Rand, access []Access) *Program[T] {
	p := &Program[T]{Args: access}
	live := 0
	operand := func() Ref {
		switch k := rng.IntN(3); {
		case k == 0 && live > 0:
			return Reg(rng.IntN(live))
		case k == 1:
			return Imm
		}
		return Arg(rng.IntN(len(access) - 1))
	}
	for range 1 + rng.IntN(6) {
		s := Step[T]{Op: programOps[rng.IntN(len(programOps))], A: operand(), B: operand(), C: operand(), Imm: T(rng.IntN(5)) - 2}
		s.Func = func(dst []T, in [][]T) {
			at := func(k, i int) T { return in[k][min(i, len(in[k])-1)] }
			for i := range dst {
				dst[i] = at(0, i) + 2*at(1, i) - at(2, i)
			}
		}
		k := rng.IntN(live + 1)
		s.Dst = Reg(k)
		live = max(live, k+1)
		p.Steps = append(p.Steps, s)
	}
	p.Steps = append(p.Steps, Step[T]{Op: OpCopy, Dst: Arg(len(access) - 1), A: Reg(live - 1)})
	return p
}

// at is the value of an operand at element (i, j), given the registers of that element.
func at[T Float](p *Program[T], r Ref, imm T, reg []T, args []Argument[T], i, j int) T {
	switch r.kind() {
	case refRegister:
		return reg[r.index()]
	case refArgument:
		a := args[r.index()]
		switch p.Args[r.index()] {
		case Full:
			return a.Data[i*a.Stride+j]
		case Row:
			return a.Data[j]
		case Column:
			return a.Data[i]
		}
		return a.Data[0]
	}
	return imm
}

func programMatchesSteps[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	v := vec[T]()
	for trial := range 300 {
		rows, cols := 1+rng.IntN(40), 1+rng.IntN(70)
		if trial%7 == 0 {
			cols = 500 + rng.IntN(600)
		}
		stride := cols + rng.IntN(2)*rng.IntN(5)
		access, args := programArgs[T](rng, rows, cols, stride)
		if trial%5 == 0 { // only full and scalar arguments: the flat path
			access[3], access[4] = Scalar, Scalar
		}
		g := Region{0, 0, rows, cols}
		if trial%3 == 0 {
			g = Region{rng.IntN(rows), rng.IntN(cols), 0, 0}
			g.Rows, g.Cols = 1+rng.IntN(rows-g.Row), 1+rng.IntN(cols-g.Col)
		}
		p := randomProgram[T](rng, access)
		out := len(access) - 1
		p.Tail = Tail{Op: TailOp(rng.IntN(4)), Src: Arg(out)}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		want := append([]T(nil), args[out].Data...)
		sum, largest, smallest := 0.0, T(math.Inf(-1)), T(math.Inf(1))
		reg := make([]T, p.Registers())
		one := make([]T, 1)
		for i := g.Row; i < g.Row+g.Rows; i++ {
			for j := g.Col; j < g.Col+g.Cols; j++ {
				for k := range p.Steps {
					s := &p.Steps[k]
					a, b, c := at(p, s.A, s.Imm, reg, args, i, j), at(p, s.B, s.Imm, reg, args, i, j), at(p, s.C, s.Imm, reg, args, i, j)
					switch {
					case s.Op < OpAdd:
						v.unary[s.Op](one, []T{a})
					case s.Op < OpLess:
						v.binary[s.Op](one, []T{a}, []T{b})
					case s.Op < OpSelect:
						v.truth[s.Op](one, []T{a}, []T{b})
					case s.Op == OpSelect:
						v.selectValues(one, []T{a}, []T{b}, []T{c})
					default:
						s.Func(one, [][]T{{a}, {b}, {c}})
					}
					if s.Dst.kind() == refRegister {
						reg[s.Dst.index()] = one[0]
					} else {
						want[i*stride+j] = one[0]
						sum += float64(one[0])
						largest, smallest = max(largest, one[0]), min(smallest, one[0])
					}
				}
			}
		}
		total := p.Run(NewWorkspace(p), args, g)
		for i, w := range want {
			if got := args[out].Data[i]; got != w && (got == got || w == w) {
				t.Fatalf("trial %d: element %d of %+v stride %d: %v, want %v\n%+v", trial, i, g, stride, got, w, p.Steps)
			}
		}
		expect := map[TailOp]float64{TailSum: sum, TailMax: float64(largest), TailMin: float64(smallest)}[p.Tail.Op]
		if d := math.Abs(float64(total) - expect); d > 1e-3*(1+math.Abs(expect)) || math.IsNaN(float64(total)) != math.IsNaN(expect) {
			t.Fatalf("trial %d: tail %v: %v, want %v", trial, p.Tail.Op, total, expect)
		}
	}
}

// Tails along rows and columns, on narrow, wide and strided regions.
func TestProgramTails(t *testing.T) {
	for _, c := range []struct{ rows, cols, stride int }{{5, 3, 3}, {7, 10, 12}, {3, 1300, 1300}, {100, 64, 64}, {1, 1, 1}} {
		x := make([]float64, c.rows*c.stride)
		for i := range x {
			x[i] = float64(i%17) - 8
		}
		p := &Program[float64]{Args: []Access{Full, Column, Row}}
		args := []Argument[float64]{{x, c.stride}, {make([]float64, c.rows), 0}, {make([]float64, c.cols), 0}}
		w := NewWorkspace(p)
		for _, op := range []TailOp{TailSum, TailMax, TailMin} {
			p.Tail = Tail{Op: op, Over: ByRow, Src: Arg(0), Into: 1}
			p.Run(w, args, Region{0, 0, c.rows, c.cols})
			for i := range c.rows {
				row := x[i*c.stride : i*c.stride+c.cols]
				want := map[TailOp]float64{TailSum: Sum(row), TailMax: MaxValue(row), TailMin: MinValue(row)}[op]
				if got := args[1].Data[i]; math.Abs(got-want) > 1e-9 {
					t.Errorf("%v: tail %d of row %d: %v, want %v", c, op, i, got, want)
				}
			}
		}
		p.Tail = Tail{Op: TailSum, Over: ByColumn, Src: Arg(0), Into: 2}
		p.Run(w, args, Region{0, 0, c.rows, c.cols})
		for j := range c.cols {
			want := 0.0
			for i := range c.rows {
				want += x[i*c.stride+j]
			}
			if got := args[2].Data[j]; math.Abs(got-want) > 1e-9 {
				t.Errorf("%v: sum of column %d: %v, want %v", c, j, got, want)
			}
		}
	}
}

// Check names what is wrong.
func TestProgramCheck(t *testing.T) {
	for name, p := range map[string]Program[float32]{
		"unwritten register": {Steps: []Step[float32]{{Op: OpExp, Dst: Reg(0), A: Reg(1)}}},
		"no argument":        {Steps: []Step[float32]{{Op: OpExp, Dst: Reg(0), A: Arg(0)}}},
		"missing operand":    {Steps: []Step[float32]{{Op: OpAdd, Dst: Reg(0), A: Imm}}},
		"row destination":    {Args: []Access{Row}, Steps: []Step[float32]{{Op: OpExp, Dst: Arg(0), A: Imm}}},
		"no operation":       {Steps: []Step[float32]{{Dst: Reg(0)}}},
		"call of nothing":    {Steps: []Step[float32]{{Op: OpCall, Dst: Reg(0)}}},
		"tail":               {Tail: Tail{Op: TailSum, Src: Reg(0)}},
	} {
		if p.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestProgramAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	access, args := programArgs[float32](rng, 40, 30, 30)
	p := randomProgram[float32](rng, access)
	p.Tail = Tail{Op: TailSum, Over: ByRow, Src: Reg(0), Into: 4}
	w := NewWorkspace(p)
	if n := testing.AllocsPerRun(10, func() { p.Run(w, args, Region{0, 0, 40, 30}) }); n != 0 {
		t.Errorf("%v allocations per run", n)
	}
}

// BenchmarkProgram is bias + tanh + mask on 64 × 1000, fused and as three passes.
func BenchmarkProgram(b *testing.B) {
	const rows, cols = 64, 1000
	rng := rand.New(rand.NewPCG(7, 8))
	_, args := programArgs[float32](rng, rows, cols, cols)
	p := &Program[float32]{
		Args: []Access{Full, Full, Scalar, Row, Column, Full},
		Steps: []Step[float32]{
			{Op: OpAdd, Dst: Reg(0), A: Arg(0), B: Arg(3)},
			{Op: OpTanh, Dst: Reg(0), A: Reg(0)},
			{Op: OpMul, Dst: Arg(5), A: Reg(0), B: Arg(1)},
		},
	}
	w := NewWorkspace(p)
	for b.Loop() {
		p.Run(w, args, Region{0, 0, rows, cols})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows/cols, "ns/element")
}
