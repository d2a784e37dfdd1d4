package gradcheck

import (
	"fmt"
	"math"
)

// Element is the comparison of one derivative.
type Element struct {
	Order    int    // 1 or 2
	Input    int    // which input; −1: all of them moved at once, forward mode against reverse mode
	Name     string // of the input
	Index    int    // which of its elements, row-major; −1: a random direction
	At       []int  // the same as an index for each dimension
	Analytic float64
	Numeric  float64
	Allowed  float64 // how far they may be apart

	Kink        bool    // f has two slopes here, and no derivative
	Left, Right float64 // the slopes, at a kink
}

// excess is how far the element is from passing: at most 1 passes.
func (e Element) excess() float64 {
	d := math.Abs(e.Analytic - e.Numeric)
	switch {
	case e.Kink: // from the nearer of the two slopes, if it is not between them
		d = max(0, min(e.Left, e.Right)-e.Analytic, e.Analytic-max(e.Left, e.Right))
	case d == 0:
		return 0
	}
	x := d / e.Allowed
	if math.IsNaN(x) {
		return math.Inf(1)
	}
	return x
}

// String prints the comparison on one line: order, input, element, the analytic and the numeric value.
func (e Element) String() string {
	where := fmt.Sprintf("order %d, input %d, %s", e.Order, e.Input, e.Name)
	if len(e.At) > 0 {
		where += fmt.Sprint(e.At)
	}
	switch {
	case e.Input < 0:
		return fmt.Sprintf("forward mode, all inputs along a random direction: ⟨JVP(v), u⟩ = %.12g, ⟨v, VJP(u)⟩ = %.12g, difference %.3g (allowed %.3g)",
			e.Analytic, e.Numeric, math.Abs(e.Analytic-e.Numeric), e.Allowed)
	case e.Index < 0:
		where += " along a random direction"
	}
	if e.Kink {
		return fmt.Sprintf("%s: a kink, with slope %.9g on the left and %.9g on the right, analytic %.9g; keep inputs away from it to compare more", where, e.Left, e.Right, e.Analytic)
	}
	return fmt.Sprintf("%s: analytic %.9g, numeric %.9g, difference %.3g (allowed %.3g)",
		where, e.Analytic, e.Numeric, math.Abs(e.Analytic-e.Numeric), e.Allowed)
}

// Report is the outcome of a check.
type Report struct {
	Function string  // the expression and its line
	Checked  int     // derivatives compared
	Failed   int     // of which outside the bounds
	Kinks    int     // of which at a kink, where only the slopes of the two sides could be compared with
	Worst    Element // the one furthest out, or nearest to it
}

// OK reports whether every derivative is within the bounds.
func (r *Report) OK() bool { return r.Failed == 0 }

// String sums up the report: the function, and the derivative that is furthest out.
func (r *Report) String() string {
	kinks := ""
	if r.Kinks > 0 {
		kinks = fmt.Sprintf(", %d of them at kinks, where they are between the slopes of the two sides", r.Kinks)
	}
	switch {
	case r.Checked == 0:
		return "nothing compared: the inputs have no elements"
	case r.OK():
		return fmt.Sprintf("%s: %d derivatives agree%s; the worst: %v", r.Function, r.Checked, kinks, r.Worst)
	}
	return fmt.Sprintf("%s: %d of %d derivatives differ; the worst: %v", r.Function, r.Failed, r.Checked, r.Worst)
}

func (r *Report) count(e Element) {
	r.Checked++
	switch x := e.excess(); {
	case x > 1:
		r.Failed++
	case e.Kink:
		r.Kinks++
	}
	if r.Checked == 1 || e.excess() > r.Worst.excess() {
		r.Worst = e
	}
}
