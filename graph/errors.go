package graph

import (
	"fmt"
	"io"

	"github.com/pkg/errors"
)

// The kinds of error, for errors.Is.
var (
	ErrShape    = errors.New("shape error")    // shapes that do not fit each other or the operator
	ErrDType    = errors.New("dtype error")    // element types that do not fit
	ErrGraph    = errors.New("graph error")    // nil nodes, nodes of another graph
	ErrName     = errors.New("name error")     // a name that is missing, taken or unknown
	ErrValue    = errors.New("value error")    // an attribute or a value outside its range
	ErrOperator = errors.New("operator error") // something an operator's definition does not offer or does wrong
	ErrGradient = errors.New("gradient error") // a gradient that does not exist
	ErrFeed     = errors.New("feed error")     // inputs that are missing, unknown or disagree
)

// Error is what building, compiling and running report: the kind, the user's line, the expression and what would fix it.
// %v prints one line, %+v adds the full path of the position and the stack.
type Error struct {
	Kind error    // one of the kinds above, or another error that caused this one
	Pos  Position // the user's line; may be unknown
	Expr string   // the expression, e.g. "matmul(x, encoder.0.weight)"; may be empty
	Msg  string   // what is wrong and what would fix it

	stack error
}

// Errorf returns an error of the given kind. Shape rules and kernels use it; whoever calls them adds the position and the expression.
func Errorf(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), stack: errors.New("")}
}

// Error returns "file:line: expression: message", leaving out what is unknown.
func (e *Error) Error() string {
	s := e.Msg
	if e.Expr != "" {
		s = e.Expr + ": " + s
	}
	if e.Pos.IsKnown() {
		s = e.Pos.String() + ": " + s
	}
	return s
}

// Unwrap gives errors.Is and errors.As the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Format prints the stack for %+v.
func (e *Error) Format(f fmt.State, verb rune) {
	if _, err := io.WriteString(f, e.Error()); err != nil {
		return
	}
	if verb == 'v' && f.Flag('+') {
		if e.Pos.IsKnown() {
			fmt.Fprintf(f, "\n%s", e.Pos.Full())
		}
		if e.stack != nil {
			fmt.Fprintf(f, "%+v", e.stack)
		}
	}
}

// Locate returns err with the position and the expression of n, for errors that arise where only the node is known. An error
// that has a position already is returned as it is.
func Locate(err error, n *Node) error {
	if n == nil {
		return err
	}
	return locate(err, n.Pos(), n.Expr())
}

func locate(err error, pos Position, expr string) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) && known.Pos.IsKnown() {
		return err
	}
	bare, ok := err.(*Error)
	if !ok { // also one that wraps an Error: what it adds must stay
		return &Error{Kind: err, Pos: pos, Expr: expr, Msg: err.Error(), stack: errors.New("")}
	}
	located := *bare
	located.Pos = pos
	if located.Expr == "" {
		located.Expr = expr
	}
	return &located
}
