// Package race times Tapir's fused affine kernel against other ways to compute the same: other libraries' products and loops.
//
// The one idea to know: on a shared machine only ratios mean something, and only between neighbours in time. So every peer
// runs a short batch right beside one of Tapir's, many times over, on the same buffers, and what is reported is the
// median of those ratios and the ratio of the fastest batches.
package race

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tapir-ml/tapir/internal/kernel"
)

// Op is what is computed of an affine layer with a batch of M rows, K inputs and N outputs. All take 2·M·K·N operations.
type Op string

// The operations.
const (
	Forward  Op = "fwd"   // Y = act(X·W + b)
	Infer    Op = "infer" // the same with W laid out beforehand in whatever form a library likes best
	GradX    Op = "dx"    // dX = (dZ·Wᵀ) ⊙ act′, the derivative of the layer before taken from its saved output
	GradW    Op = "dw"    // dW = Xᵀ·dZ
	noAct       = "none"
	maxSize     = 1 << 16
	maxCount    = 1 << 28 // elements of a matrix
	maxLanes    = 1 << 10 // threads
	caseForm    = "M K N op dtype act threads"
)

// A Case is one line of a shapes file.
type Case struct {
	M, K, N int
	Op      Op
	DType   string // float32 or float64
	Act     string // a name that kernel.Act prints, or none
	Threads int
	Aim     float64 // ratio to the best native peer that is aimed at; 0: none
}

func (c Case) String() string {
	return fmt.Sprintf("%dx%dx%d:%s:%s:%s:%d", c.M, c.K, c.N, c.Op, c.DType, c.Act, c.Threads)
}

// Flops is the number of floating-point operations of the product.
func (c Case) Flops() float64 { return 2 * float64(c.M) * float64(c.K) * float64(c.N) }

// product is the sizes of the matrix product that c comes to: the result is rows × cols, the sums are over inner.
func (c Case) product() (rows, inner, cols int) {
	switch c.Op {
	case GradX:
		return c.M, c.N, c.K
	case GradW:
		return c.K, c.M, c.N
	}
	return c.M, c.K, c.N
}

// act is the activation, identity for none.
func (c Case) act() kernel.Act {
	a, _ := actNamed(c.Act)
	return a
}

func actNamed(name string) (kernel.Act, bool) {
	if name == noAct {
		return kernel.ActIdentity, true
	}
	for a := kernel.ActIdentity + 1; a <= kernel.ActExp; a++ {
		if a.String() == name {
			return a, true
		}
	}
	return 0, false
}

// alpha is the parameter the race gives to an activation that has one.
func alpha(a kernel.Act) float64 {
	switch a {
	case kernel.ActLeakyReLU:
		return 0.01
	case kernel.ActELU, kernel.ActSwish:
		return 1
	}
	return 0
}

var aimComment = regexp.MustCompile(`\baim (\d+(?:\.\d+)?)`)

// ParseShapes reads lines `M K N op dtype act threads`. What follows a # is a comment; in a comment behind a case, `aim 1.05` says
// what ratio to the best native peer is aimed at. A line that stands twice counts once.
func ParseShapes(r io.Reader) ([]Case, error) {
	var cases []Case
	lines := bufio.NewScanner(r)
	for at := 1; lines.Scan(); at++ {
		text, comment, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		c, err := parseCase(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", at, strings.TrimSpace(text), err)
		}
		if m := aimComment.FindStringSubmatch(comment); m != nil {
			c.Aim, _ = strconv.ParseFloat(m[1], 64)
		}
		if !slices.ContainsFunc(cases, func(o Case) bool { return o.String() == c.String() }) {
			cases = append(cases, c)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("no case: lines are `%s`", caseForm)
	}
	return cases, nil
}

func parseCase(fields []string) (c Case, err error) {
	if len(fields) != 7 {
		return c, fmt.Errorf("%d fields, want the seven fields %s", len(fields), caseForm)
	}
	sizes := []struct {
		name string
		to   *int
		most int
		text string
	}{{"M", &c.M, maxSize, fields[0]}, {"K", &c.K, maxSize, fields[1]}, {"N", &c.N, maxSize, fields[2]}, {"threads", &c.Threads, maxLanes, fields[6]}}
	for _, s := range sizes {
		n, err := strconv.Atoi(s.text)
		if err != nil || n < 1 || n > s.most {
			return c, fmt.Errorf("%s is %q, want a number from 1 to %d", s.name, s.text, s.most)
		}
		*s.to = n
	}
	if c.M*c.K > maxCount || c.K*c.N > maxCount || c.M*c.N > maxCount {
		return c, fmt.Errorf("a matrix of more than %d elements", maxCount)
	}
	c.Op, c.DType, c.Act = Op(fields[3]), fields[4], fields[5]
	switch c.Op {
	case Forward, Infer, GradX, GradW:
	default:
		return c, fmt.Errorf("op is %q, want fwd, infer, dx or dw", c.Op)
	}
	if c.DType != "float32" && c.DType != "float64" {
		return c, fmt.Errorf("dtype is %q, want float32 or float64", c.DType)
	}
	if _, ok := actNamed(c.Act); !ok {
		return c, fmt.Errorf("act is %q, want none or an activation such as relu", c.Act)
	}
	if c.Op == GradW && c.Act != noAct {
		return c, fmt.Errorf("act is %q, but dw has no activation: want none", c.Act)
	}
	return c, nil
}
