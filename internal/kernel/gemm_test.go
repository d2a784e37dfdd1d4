package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// bothTypes runs a generic test in float32 and float64.
func bothTypes(t *testing.T, f32, f64 func(t *testing.T)) {
	t.Run("float32", f32)
	t.Run("float64", f64)
}

// fenced is a slice of n elements with NaN on both sides; check reports a write beyond it.
type fenced[T Float] struct {
	all, s []T
}

const fence = 24

func newFenced[T Float](n int) fenced[T] {
	g := fenced[T]{all: make([]T, n+2*fence)}
	for i := range g.all {
		g.all[i] = T(math.NaN())
	}
	g.s = g.all[fence : fence+n : fence+n]
	return g
}

func (g fenced[T]) check(t *testing.T, name string) {
	t.Helper()
	for i, v := range g.all {
		if (i < fence || i >= len(g.all)-fence) && v == v {
			t.Fatalf("%s: wrote outside, %d elements from its beginning", name, i-fence)
		}
	}
}

func randomize[T Float](r *rand.Rand, s []T) {
	for i := range s {
		s[i] = T(2*r.Float64() - 1)
	}
}

// matrix is a strided matrix inside a fenced buffer whose padding is NaN too.
type matrix[T Float] struct {
	fenced[T]
	row, col int
}

// newMatrix makes a rows × cols matrix, by columns if byColumns, with pad unused elements after each row (or column).
func newMatrix[T Float](r *rand.Rand, rows, cols, pad int, byColumns bool) matrix[T] {
	long, short := rows, cols
	if byColumns {
		long, short = cols, rows
	}
	ld := short + pad
	m := matrix[T]{fenced: newFenced[T](max(0, long*ld-pad)), row: ld, col: 1}
	if byColumns {
		m.row, m.col = 1, ld
	}
	for i := range rows {
		for j := range cols {
			m.s[i*m.row+j*m.col] = T(2*r.Float64() - 1)
		}
	}
	return m
}

func (m *matrix[T]) at(i, j int) T { return m.s[i*m.row+j*m.col] }

// product is the exact product, near enough, and the error an element may have.
type product struct {
	n          int
	sum, bound []float64
}

func newProduct[T Float](a, b *matrix[T], m, n, k int) product {
	var zero T
	eps := 0x1p-24
	if unsafe.Sizeof(zero) == 8 {
		eps = 0x1p-53
	}
	p := product{n, make([]float64, m*n), make([]float64, m*n)}
	for i := range m {
		for j := range n {
			var sum, low, abs float64
			for q := range k {
				x, y := float64(a.at(i, q)), float64(b.at(q, j))
				h := x * y
				low += math.FMA(x, y, -h)
				s := sum + h
				bb := s - sum
				low += (sum - (s - bb)) + (h - bb)
				sum = s
				abs += math.Abs(h)
			}
			p.sum[i*n+j] = sum + low
			p.bound[i*n+j] = 4 * float64(max(k, 1)) * eps * abs
		}
	}
	return p
}

// checkC compares C with the reference's upper left m × n block, plus the C that was there before if accumulate.
func (p *product) checkC(t *testing.T, c []float64, m, n int, what string) {
	t.Helper()
	for i := range m {
		for j := range n {
			got, want := c[i*n+j], p.sum[i*p.n+j]
			if !(math.Abs(got-want) <= p.bound[i*p.n+j]) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v ± %v", what, i, j, got, want, p.bound[i*p.n+j])
			}
		}
	}
}

func TestGemmEverySize(t *testing.T) {
	bothTypes(t, testEverySize[float32], testEverySize[float64])
}

// testEverySize checks every M and N up to most against one reference for each K, in the three orientations of training.
func testEverySize[T Float](t *testing.T) {
	eachSet(t, func(t *testing.T) {
		const most = 67
		r := rand.New(rand.NewPCG(1, 2))
		for _, k := range depths {
			for form := range 4 {
				a := newMatrix[T](r, most, k, 3*(form&1), form&1 != 0)
				b := newMatrix[T](r, k, most, form&2, form&2 != 0)
				ref := newProduct(&a, &b, most, most, k)
				c := newFenced[T](most * most)
				for m := 1 + k%step; m <= most; m += step {
					for n := 1 + (k+m/step)%step; n <= most; n += step {
						g := Gemm[T]{M: m, N: n, K: k, A: a.s, ARow: a.row, ACol: a.col, B: b.s, BRow: b.row, BCol: b.col, C: c.s, CRow: n}
						g.A, g.B = cut(g.A, m, k, a.row, a.col), cut(g.B, k, n, b.row, b.col)
						for i := range c.s[:m*n] {
							c.s[i] = T(math.NaN())
						}
						g.Run()
						for i := range m {
							for j := range n {
								at := i*most + j
								if d := float64(c.s[i*n+j]) - ref.sum[at]; !(math.Abs(d) <= ref.bound[at]) {
									t.Fatalf("form %d, %d×%d×%d: C[%d,%d] = %v, want %v ± %v", form, m, k, n, i, j, c.s[i*n+j], ref.sum[at], ref.bound[at])
								}
							}
						}
						for _, v := range c.s[m*n:] {
							if v == v && m*n == most*most {
								t.Fatal("wrote after C")
							}
						}
					}
				}
				c.check(t, "C")
			}
		}
	})
}

// cut ends a matrix's slice at its last element, so that nothing beyond can be taken for granted.
func cut[T Float](s []T, rows, cols, row, col int) []T {
	n := (rows-1)*row + (cols-1)*col + 1
	return s[:n:n]
}

// TestGemmForms checks strides, accumulation, every epilogue, the tile interface, column sums, packed weights and parts
// on assorted shapes, against a plain loop in float64.
func TestGemmForms(t *testing.T) {
	bothTypes(t, testForms[float32], testForms[float64])
}

var formShapes = [][3]int{
	{1, 1, 1}, {1, 16, 16}, {7, 13, 5}, {2, 8, 1}, {1, 37, 101}, {2, 64, 99}, {3, 31, 67}, {4, 50, 130}, {5, 5, 5}, {8, 100, 7},
	{13, 17, 31}, {33, 40, 16}, {6, 1, 48}, {50, 129, 33}, {31, 2, 200}, {67, 67, 67}, {9, 1, 9}, {19, 0, 23}, {97, 1030, 40}, {1, 2050, 20},
	{96, 3, 1}, {40, 70, 2}, {12, 300, 300}, {1, 200, 333}, {2, 200, 333}, {3, 200, 333}, {130, 33, 257}, {37, 50, 1}, {1, 1, 40}, {3, 64, 61}, {2, 5, 6},
	{7, 131, 300}, {8, 600, 99}, {9, 257, 215}, {4, 782, 169}, {4, 1024, 700},
}

func testForms[T Float](t *testing.T) {
	eachSet(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for i, s := range formShapes {
			for form := range 8 {
				// Every act meets every form, but only the long run has both with every shape.
				for act := Act(i+form) % step; act < numActs; act += step {
					checkForm[T](t, r, s[0], s[2], s[1], form, act)
				}
			}
		}
	})
}

// TestGemmEveryTile meets every height of a tile with every width, full and one column short or over.
func TestGemmEveryTile(t *testing.T) {
	bothTypes(t, testEveryTile[float32], testEveryTile[float64])
}

func testEveryTile[T Float](t *testing.T) {
	eachSet(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 14))
		for m := 1; m <= 40; m++ {
			for _, full := range []int{8, 16, 24, 32, 48, 64, 96, 128, 256} {
				for n := full - 1; n <= full+1; n++ {
					checkForm[T](t, r, m, n, 1+(m+n)%9, (m+n)%8, Act(m%3)) // the activations in registers
				}
			}
		}
	})
}

// recorder is a Tiler that counts how often each element was seen and then doubles it.
type recorder[T Float] struct {
	seen []int
	n    int
}

func (r *recorder[T]) Tile(c []T, i0, j0, rows, cols, stride int) {
	for i := range rows {
		for j := range cols {
			r.seen[(i0+i)*r.n+j0+j]++
			c[i*stride+j] *= 2
		}
	}
}

// checkForm checks one shape in the form whose bits say: A by columns, B by columns, accumulate. What else there is
// in the epilogue beside act is drawn.
func checkForm[T Float](t *testing.T, r *rand.Rand, m, n, k, form int, act Act) {
	t.Helper()
	a := newMatrix[T](r, m, k, r.IntN(3), form&1 != 0)
	b := newMatrix[T](r, k, n, r.IntN(3), form&2 != 0)
	c := newMatrix[T](r, m, n, r.IntN(3), false)
	saved := newMatrix[T](r, m, n, r.IntN(3), false)
	bias := newFenced[T](n)
	randomize(r, bias.s)
	sums := newFenced[T](n)
	tile := &recorder[T]{make([]int, m*n), n}
	g := Gemm[T]{M: m, N: n, K: k, A: a.s, ARow: a.row, ACol: a.col, B: b.s, BRow: b.row, BCol: b.col, C: c.s, CRow: c.row, Accumulate: form&4 != 0}
	e := &g.Epilogue
	e.Alpha = 0.3
	kind := r.IntN(16)
	if kind&1 != 0 {
		e.Bias = bias.s
	}
	if kind&2 != 0 {
		e.Saved, e.SavedRow, e.Deriv = saved.s, saved.row, act
		e.SavedInput = !act.FromOutput() || r.IntN(2) == 0
		if !e.SavedInput {
			for i := range m {
				for j := range n {
					at := i*saved.row + j
					saved.s[at] = T(actValue(act, float64(saved.s[at]), float64(e.Alpha)))
				}
			}
		}
	} else {
		e.Act = act
	}
	if kind&4 != 0 {
		e.Tile = tile
	}
	if kind&8 != 0 {
		e.ColSums = sums.s
	}
	if r.IntN(4) == 0 {
		p := Pack[T](nil, b.s, b.row, b.col, k, n)
		g.Packed, g.B = &p, nil
	}

	what := fmt.Sprintf("%d×%d×%d form %d act %v epilogue %04b", m, k, n, form, act, kind)
	ref := newProduct(&a, &b, m, n, k)
	want := make([]float64, m*n)
	var zero T
	eps := 0x1p-22
	if unsafe.Sizeof(zero) == 8 {
		eps = 0x1p-50
	}
	for i := range m {
		for j := range n {
			z := ref.sum[i*n+j]
			if g.Accumulate {
				z += float64(c.at(i, j))
			}
			if e.Bias != nil {
				z += float64(bias.s[j])
			}
			z = actValue(e.Act, z, float64(e.Alpha))
			if e.Saved != nil {
				d := actSlope
				if !e.SavedInput {
					d = actSlopeFromOutput
				}
				z *= d(act, float64(saved.at(i, j)), float64(e.Alpha))
			}
			if e.Tile != nil {
				z *= 2
			}
			want[i*n+j] = z
			// Every act here has a slope of at most 1.8 or (exp) that of its value.
			ref.bound[i*n+j] = 4*(ref.bound[i*n+j]+16*eps)*(1+math.Abs(z)) + 8*eps*math.Abs(z)
		}
	}

	before := append([]T(nil), c.s...)
	g.Run()
	got := make([]float64, m*n)
	for i := range m {
		for j := range n {
			got[i*n+j] = float64(c.at(i, j))
		}
	}
	ref.sum = want
	ref.checkC(t, got, m, n, what)
	if e.ColSums != nil {
		for j := range n {
			var s T
			for i := range m {
				s += c.at(i, j)
			}
			if s != sums.s[j] {
				t.Fatalf("%s: column sum %d = %v, want %v", what, j, sums.s[j], s)
			}
		}
	}
	if e.Tile != nil {
		for at, seen := range tile.seen {
			if seen != 1 {
				t.Fatalf("%s: element %d was in %d tiles", what, at, seen)
			}
		}
	}
	for name, buf := range map[string]fenced[T]{"A": a.fenced, "B": b.fenced, "C": c.fenced, "saved": saved.fenced, "bias": bias, "sums": sums} {
		buf.check(t, what+" "+name)
	}
	for i := range m - 1 {
		for j := n; j < c.row; j++ {
			if v := c.s[i*c.row+j]; v == v {
				t.Fatalf("%s: wrote between the rows of C", what)
			}
		}
	}

	// The parts compute the same bits, in whatever order.
	whole := append([]T(nil), c.s...)
	copy(c.s, before)
	for part := g.Parts() - 1; part >= 0; part-- {
		g.Do(part)
	}
	for i, v := range c.s {
		if w := whole[i]; v != w && (v == v || w == w) {
			t.Fatalf("%s: the parts differ from the whole at %d: %v, %v", what, i, v, w)
		}
	}
}

func TestGemmPartsAreTheWhole(t *testing.T) {
	bothTypes(t, testParts[float32], testParts[float64])
}

// testParts compares parts with the whole where there are many, bit by bit.
func testParts[T Float](t *testing.T) {
	eachSet(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		shapes := [][3]int{{130, 300, 515}, {3, 1100, 1999}, {1, 1500, 3000}, {2, 3000, 1500}, {1031, 128, 200}, {1100, 40, 1000}, {613, 77, 1031}, {260, 1100, 130}, {4, 1200, 1999}, {7, 1000, 2001}, {8, 1100, 1999}}
		if !accelerated || testing.Short() {
			shapes = shapes[:2]
		}
		for _, s := range shapes {
			m, k, n := s[0], s[1], s[2]
			for form := range 4 {
				a := newMatrix[T](r, m, k, 0, form&1 != 0)
				b := newMatrix[T](r, k, n, 0, form&2 != 0)
				c, d := make([]T, m*n), make([]T, m*n)
				g := Gemm[T]{M: m, N: n, K: k, A: a.s, ARow: a.row, ACol: a.col, B: b.s, BRow: b.row, BCol: b.col, C: c, CRow: n}
				g.Run()
				g.C = d
				parts := g.Parts()
				for p := range parts {
					g.Do((p + parts/2) % parts)
				}
				for i := range c {
					if c[i] != d[i] {
						t.Fatalf("%v form %d: %d parts differ from the whole at %d,%d: %v, %v", s, form, parts, i/n, i%n, d[i], c[i])
					}
				}
				// A sample of elements against the plain loop: the whole matrix would take too long.
				for range 200 {
					i, j := r.IntN(m), r.IntN(n)
					row := matrix[T]{fenced: fenced[T]{s: a.s[i*a.row:]}, row: a.row, col: a.col}
					col := matrix[T]{fenced: fenced[T]{s: b.s[j*b.col:]}, row: b.row, col: b.col}
					p := newProduct(&row, &col, 1, 1, k)
					if math.Abs(float64(c[i*n+j])-p.sum[0]) > p.bound[0] {
						t.Fatalf("%v form %d: C[%d,%d] = %v, want %v", s, form, i, j, c[i*n+j], p.sum[0])
					}
				}
			}
		}
	})
}

func TestGemmSpecialValues(t *testing.T) {
	bothTypes(t, testSpecials[float32], testSpecials[float64])
}

// testSpecials puts one NaN or Inf into an operand and compares which elements are not finite with the plain loop.
func testSpecials[T Float](t *testing.T) {
	eachSet(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, s := range [][3]int{{1, 20, 40}, {2, 9, 70}, {3, 16, 37}, {7, 13, 5}, {8, 30, 20}, {23, 33, 45}} {
			m, k, n := s[0], s[1], s[2]
			for form := range 4 {
				for _, special := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					a := newMatrix[T](r, m, k, 1, form&1 != 0)
					b := newMatrix[T](r, k, n, 1, form&2 != 0)
					i, j, q := r.IntN(m), r.IntN(n), r.IntN(k)
					a.s[i*a.row+q*a.col] = T(special)
					b.s[q*b.row+j*b.col] = T(special) // Inf·Inf is +Inf, NaN·Inf is NaN
					if r.IntN(2) == 0 {
						b.s[q*b.row+j*b.col] = 0 // Inf·0 is NaN
					}
					c := make([]T, m*n)
					g := Gemm[T]{M: m, N: n, K: k, A: a.s, ARow: a.row, ACol: a.col, B: b.s, BRow: b.row, BCol: b.col, C: c, CRow: n}
					if form&1 != 0 {
						g.Epilogue.Act = ActReLU
					}
					g.Run()
					for y := range m {
						for x := range n {
							var sum float64
							for k := range k {
								sum += float64(a.at(y, k)) * float64(b.at(k, x))
							}
							if g.Epilogue.Act == ActReLU {
								sum = actValue(ActReLU, sum, 0)
							}
							got := float64(c[y*n+x])
							if math.IsNaN(sum) != math.IsNaN(got) || math.IsInf(sum, 0) != math.IsInf(got, 0) || math.IsInf(sum, 0) && sum != got {
								t.Fatalf("%v form %d %v: C[%d,%d] = %v, want %v", s, form, special, y, x, got, sum)
							}
						}
					}
				}
			}
		}
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, s := range [][3]int{{7, 13, 5}, {1, 300, 300}, {64, 300, 100}, {70, 1100, 300}} {
			for form := range 4 {
				m, k, n := s[0], s[1], s[2]
				r := rand.New(rand.NewPCG(9, 10))
				a := newMatrix[float32](r, m, k, 0, form&1 != 0)
				b := newMatrix[float32](r, k, n, 0, form&2 != 0)
				c, bias, tile := make([]float32, m*n), make([]float32, n), &recorder[float32]{make([]int, m*n), n}
				allocs := testing.AllocsPerRun(10, func() {
					g := Gemm[float32]{M: m, N: n, K: k, A: a.s, ARow: a.row, ACol: a.col, B: b.s, BRow: b.row, BCol: b.col, C: c, CRow: n}
					g.Epilogue.Bias, g.Epilogue.Act, g.Epilogue.Tile = bias, ActTanh, tile
					g.Run()
				})
				if allocs != 0 {
					t.Errorf("%v form %d: %v allocations", s, form, allocs)
				}
			}
		}
	})
}

func TestGemmRefusesShortOperands(t *testing.T) {
	good := Gemm[float32]{M: 3, N: 4, K: 5, A: make([]float32, 15), ARow: 5, ACol: 1, B: make([]float32, 20), BRow: 4, BCol: 1, C: make([]float32, 12), CRow: 4}
	good.Run()
	for name, spoil := range map[string]func(g *Gemm[float32]){
		"A":       func(g *Gemm[float32]) { g.A = g.A[:14] },
		"B":       func(g *Gemm[float32]) { g.B = g.B[:19] },
		"C":       func(g *Gemm[float32]) { g.C = g.C[:11] },
		"bias":    func(g *Gemm[float32]) { g.Epilogue.Bias = make([]float32, 3) },
		"saved":   func(g *Gemm[float32]) { g.Epilogue.Saved = make([]float32, 11); g.Epilogue.SavedRow = 4 },
		"colsums": func(g *Gemm[float32]) { g.Epilogue.ColSums = make([]float32, 3) },
		"packed":  func(g *Gemm[float32]) { p := Pack[float32](nil, g.B, 4, 1, 4, 4); g.Packed = &p },
	} {
		g := good
		spoil(&g)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s too short: no panic", name)
				}
			}()
			g.Run()
		}()
	}
}
