package ops

import "github.com/tapir-ml/tapir/graph"

var (
	catalogue []*graph.Def
	rules     []graph.Rule
)

// define fills in an operator and enters it in the catalogue. Definitions are filled in by init functions, because an
// operator's gradient builds nodes of other operators, and so of itself, which Go does not allow in a variable's initialiser.
func define(d *graph.Def, def graph.Def) {
	*d = def
	catalogue = append(catalogue, d)
}

func rewrite(r graph.Rule) { rules = append(rules, r) }

// Catalogue returns every operator of this package.
func Catalogue() []*graph.Def { return append([]*graph.Def(nil), catalogue...) }

// Rules returns the rewrites that make expressions more stable or simpler without changing their value beyond rounding.
// autodiff applies them before it differentiates, the compiler before it lowers.
func Rules() []graph.Rule { return append([]graph.Rule(nil), rules...) }
