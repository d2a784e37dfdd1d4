package ops

import (
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// Random numbers are pure functions of (key, stream, element index). The key is a node, int64(2): a seed and a step. So the same
// key and stream give the same numbers in every program, at any number of workers; element i does not depend on how many there
// are, so a longer batch begins with the numbers of a shorter one; equal draws are one node, and computing one twice changes
// nothing. What changes the numbers is the value of the key: a constant Key never does, a StepKey does with every training step.
//
//	noise := ops.Normal(ops.Key(g, 42), 0, 0, 1, graph.Float32, batch, 8)   // the same at each run
//	h := ops.Dropout(x, 0.2, ops.StepKey(g, "key"))                         // other elements at each training step
//
// The generator is Philox 4×32-10 with the stream in its counter; see internal/kernel.

// The definitions of the random operators.
var (
	NextKeyDef           = new(graph.Def)
	UniformDef           = new(graph.Def)
	NormalDef            = new(graph.Def)
	RandomPermutationDef = new(graph.Def)
)

type drawAttr struct {
	Stream int
	DType  graph.DType
	Shape  graph.Shape
}

type permutationAttr struct {
	Stream int
	Size   graph.Dim
}

// keyType is the type of a key: (seed, step).
var keyType = graph.TypeOf(graph.Int64, 2)

// Key returns a key that never changes: what is drawn with it is the same at each run.
func Key(g *graph.Graph, seed int64) *graph.Node { return g.Constant([]int64{seed, 0}) }

// StepKey returns a key that changes with every training step: a variable called name, int64(2), whose seed is drawn from the
// State's seed and whose step a training program that uses it advances when it commits. state.Set(name, []int64{seed, step})
// replays a step.
func StepKey(g *graph.Graph, name string) *graph.Node {
	key := g.Variable(name, graph.Int64, graph.Init{Name: "key", Fill: func(r *rand.Rand, _ []int, dst []float64) {
		dst[0], dst[1] = float64(r.Int64N(1<<53)), 0
	}}, keyType.Shape...)
	if err := g.Assign(key, NextKey(key)); err != nil {
		return graph.Invalid(err, "stepkey("+name+")", key)
	}
	return key
}

// NextKey returns the key of the next step.
func NextKey(key *graph.Node) *graph.Node { return graph.Apply(NextKeyDef, nil, key) }

// FreshStream returns the number of a stream that nothing in g draws from yet: −1, −2, …, so that building the same graph again
// gives the same streams. Streams of a user's own choice are from 0 up.
func FreshStream(g *graph.Graph) int { return -g.Serial() }

// Uniform returns numbers uniform between lo and hi: lo may occur, hi only by rounding. They are multiples of 2⁻²⁴ of the range
// for float32, 2⁻⁵³ for float64.
func Uniform(key *graph.Node, stream int, lo, hi float64, dtype graph.DType, dims ...graph.Dim) *graph.Node {
	return shift(draw(UniformDef, key, stream, dtype, dims), lo, hi-lo)
}

// Normal returns normally distributed numbers with the given mean and standard deviation.
func Normal(key *graph.Node, stream int, mean, deviation float64, dtype graph.DType, dims ...graph.Dim) *graph.Node {
	return shift(draw(NormalDef, key, stream, dtype, dims), mean, deviation)
}

// Bernoulli returns booleans that are true with probability p, to within 2⁻²⁴.
func Bernoulli(key *graph.Node, stream int, p float64, dims ...graph.Dim) *graph.Node {
	if err := wantProbability(p); err != nil {
		return graph.Invalid(err, "bernoulli("+key.Name()+")", key)
	}
	u := draw(UniformDef, key, stream, graph.Float32, dims)
	return Less(u, like(u, p))
}

// Categorical returns int64 indices along the last axis of logits, which it drops: index i with the probability that
// Softmax(logits, −1) gives it, by the maximum of logits + Gumbel noise. A logit of −Inf is never drawn.
func Categorical(key *graph.Node, stream int, logits *graph.Node) *graph.Node {
	u := draw(UniformDef, key, stream, logits.DType(), logits.Shape())
	return ArgMax(Sub(logits, Log(Neg(AllowNonFinite(Log(u))))), -1)
}

// RandomPermutation returns the numbers 0 … n−1, int64(n), in an order of which all are equally likely.
func RandomPermutation(key *graph.Node, stream int, n graph.Dim) *graph.Node {
	return graph.Apply(RandomPermutationDef, permutationAttr{stream, n}, key)
}

func draw(d *graph.Def, key *graph.Node, stream int, dtype graph.DType, dims []graph.Dim) *graph.Node {
	return graph.Apply(d, drawAttr{stream, dtype, append(graph.Shape(nil), dims...)}, key)
}

// shift returns offset + width·x.
func shift(x *graph.Node, offset, width float64) *graph.Node {
	if width != 1 {
		x = Scale(x, width)
	}
	if offset != 0 {
		x = AddScalar(x, offset)
	}
	return x
}

func wantProbability(p float64) error {
	if !(p >= 0 && p <= 1) {
		return graph.Errorf(graph.ErrValue, "the probability is %v; it must be from 0 to 1", p)
	}
	return nil
}

func wantKey(in []graph.Type) error {
	if err := wantOperands(in, 1); err != nil {
		return err
	}
	if !in[0].Identical(keyType) {
		return graph.Errorf(graph.ErrDType, "the key is %v, but a key is %v, a seed and a step; make one with ops.Key or ops.StepKey", in[0], keyType)
	}
	return nil
}

// generatorKey is the generator's 64-bit key for a key node's value. mix is one to one, so no two steps of a seed share one.
func generatorKey(key graph.Array) uint64 {
	k := key.I64()
	return mix(mix(uint64(k[0])) + uint64(k[1]))
}

// mix spreads every bit of x over the whole word: the finaliser of G. L. Steele, D. Lea and C. H. Flood, "Fast splittable
// pseudorandom number generators" (OOPSLA 2014), figure 16.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// drawPart is how many elements one part draws.
const drawPart = 1 << 14

// drawing fills a result in parts. An instruction keeps its own, because a closure would be an allocation a run.
type drawing struct {
	out         graph.Array
	declared    graph.DType
	key, stream uint64
	f32         func(dst []float32, key, stream, offset uint64)
	f64         func(dst []float64, key, stream, offset uint64)
	do          func(part int)
}

func (d *drawing) part(part int) {
	from := part * drawPart
	to := min(from+drawPart, d.out.Len())
	switch {
	case d.out.DType == graph.Float32:
		d.f32(d.out.F32()[from:to], d.key, d.stream, uint64(from))
	case d.declared == graph.Float64:
		d.f64(d.out.F64()[from:to], d.key, d.stream, uint64(from))
	default: // the reference interpreter wants the float32 numbers, as float64
		narrow := make([]float32, to-from)
		d.f32(narrow, d.key, d.stream, uint64(from))
		for i, v := range narrow {
			d.out.F64()[from+i] = float64(v)
		}
	}
}

func evalDraw(f32 func(dst []float32, key, stream, offset uint64), f64 func(dst []float64, key, stream, offset uint64)) func(*graph.Call) error {
	return func(c *graph.Call) error {
		attr := c.Attr.(drawAttr)
		d, _ := c.Kept.(*drawing)
		if d == nil {
			d = new(drawing)
			d.do = d.part
			c.Kept = d
		}
		d.out, d.declared, d.key, d.stream, d.f32, d.f64 = c.Out[0], attr.DType, generatorKey(c.In[0]), uint64(attr.Stream), f32, f64
		parts := (d.out.Len() + drawPart - 1) / drawPart
		if parts > 1 && c.Parallel != nil {
			c.Parallel(parts, d.do)
		} else {
			for part := range parts {
				d.part(part)
			}
		}
		return nil
	}
}

func inferDraw(attr any, in []graph.Type) (graph.Type, error) {
	if err := wantKey(in); err != nil {
		return graph.Type{}, err
	}
	a := attr.(drawAttr)
	if !a.DType.IsFloat() {
		return graph.Type{}, graph.Errorf(graph.ErrDType, "random numbers are float32 or float64, not %v", a.DType)
	}
	return graph.TypeOf(a.DType, a.Shape...), nil
}

// permutationBlock is how many random numbers a permutation takes at once.
const permutationBlock = 512

// evalPermutation is the shuffle of Fisher and Yates: element i changes places with one of 0 … i, which number i of the stream,
// of 53 bits, picks.
func evalPermutation(c *graph.Call) error {
	p := c.Out[0].I64()
	for i := range p {
		p[i] = int64(i)
	}
	key, stream := generatorKey(c.In[0]), uint64(c.Attr.(permutationAttr).Stream)
	u := graph.ElementsIn[float64](c.Scratch)[:permutationBlock]
	for end := len(p); end > 0; {
		from := (end - 1) / permutationBlock * permutationBlock
		kernel.Uniform(u[:end-from], key, stream, uint64(from))
		for i := end - 1; i >= from; i-- {
			j := int(u[i-from] * float64(i+1))
			p[i], p[j] = p[j], p[i]
		}
		end = from
	}
	return nil
}

func keyOperand() graph.Operand {
	return graph.Operand{Type: keyType, Values: []float64{42, 7}}
}

func drawSamples() []graph.Sample {
	var list []graph.Sample
	for _, dims := range [][]graph.Dim{{}, {3, 4}, {2, 0}, {5, 1, 7}} {
		list = append(list, graph.Sample{Attr: drawAttr{3, graph.Float64, dims}, In: []graph.Operand{keyOperand()}})
	}
	return append(list, graph.Sample{Attr: drawAttr{-1, graph.Float32, graph.Shape{9}}, In: []graph.Operand{keyOperand()}})
}

func init() {
	define(NextKeyDef, graph.Def{
		Name: "nextkey",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			return keyType, wantKey(in)
		},
		Eval: func(c *graph.Call) error {
			from, to := c.In[0].I64(), c.Out[0].I64()
			to[0], to[1] = from[0], from[1]+1
			return nil
		},
		Traits:  graph.Discrete | graph.InPlace,
		Samples: func() []graph.Sample { return []graph.Sample{{In: []graph.Operand{keyOperand()}}} },
	})
	define(UniformDef, graph.Def{
		Name:    "uniform",
		Infer:   inferDraw,
		Eval:    evalDraw(kernel.Uniform[float32], kernel.Uniform[float64]),
		Traits:  graph.Discrete,
		Samples: drawSamples,
	})
	define(NormalDef, graph.Def{
		Name:    "normal",
		Infer:   inferDraw,
		Eval:    evalDraw(kernel.Normal[float32], kernel.Normal[float64]),
		Traits:  graph.Discrete,
		Samples: drawSamples,
	})
	define(RandomPermutationDef, graph.Def{
		Name: "randompermutation",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			return graph.TypeOf(graph.Int64, attr.(permutationAttr).Size), wantKey(in)
		},
		Eval:    evalPermutation,
		Scratch: func(any, []graph.Type) graph.Dim { return 8 * permutationBlock },
		Traits:  graph.Discrete,
		Samples: func() []graph.Sample {
			var list []graph.Sample
			for _, n := range []graph.Dim{0, 1, 7, 1200} {
				list = append(list, graph.Sample{Attr: permutationAttr{2, n}, In: []graph.Operand{keyOperand()}})
			}
			return list
		},
	})
}
