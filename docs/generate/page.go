package main

import (
	"fmt"
	"go/doc/comment"
	"slices"
	"strings"
)

// families are the files of package ops in the order of the page, each with its title and story. A file that has no row comes after
// them, under its own name, with the comment on its definitions.
var families = []struct{ file, title, story string }{
	{"arithmetic", "Arithmetic", "Elementwise, with NumPy's broadcasting. The compiler makes one pass over memory of as many of them as are neighbours."},
	{"rounding", "Rounding and remainders", ""},
	{"bounds", "Bounds, magnitudes and signs", ""},
	{"exponential", "Exponentials, logarithms and roots", ""},
	{"trigonometric", "Trigonometry", ""},
	{"activation", "Activations", "What stands between two layers. An activation after an affine map becomes part of it, computed on each tile of the product while that is hot."},
	{"activation_exponential", "Activations with exponentials", ""},
	{"activation_gated", "Gated activations", ""},
	{"activation_piecewise", "Piecewise linear activations", ""},
	{"softmax", "Softmax", "Along any axis, without overflow. Losses take logits, the scores before a softmax."},
	{"compare", "Comparison and selection", "Comparisons give booleans and pass no gradient; a selection passes it to what was selected."},
	{"logical", "Logic", ""},
	{"finite", "What is finite", ""},
	{"matmul", "Matrix products", "The one place where most of the time goes. Transposes of operands are read where they lie, and a bias, an activation and sums of columns are computed on the way out."},
	{"reduce", "Reductions", "Over all axes, or over those that are named; negative axes count from the last."},
	{"shape", "Shapes", "A reshape costs nothing: it is another view of the same memory."},
	{"slice", "Slices", "With NumPy's bounds and steps. A slice and a pad are each other's gradient."},
	{"pad", "Padding", ""},
	{"concat", "Joining and splitting", "Each is the other's gradient."},
	{"index", "Picking by index, along an axis", "Taking adds up nothing; its gradient scatters, and adds up where an index repeats."},
	{"take", "Picking whole slices", ""},
	{"create", "Tensors made of nothing", ""},
	{"convolution", "Convolution", "Three operators: a convolution is linear in its input, its filters and the cotangent of its result, and each of the three is the gradient of the other two."},
	{"pool", "Pooling", ""},
	{"normalise", "Normalisation", ""},
	{"elementwise", "Scalars", ""},
	{"random", "Random numbers", "Pure functions of a key, a stream and an index: the same seed gives the same numbers, however many processors work on it."},
	{"dropout", "Dropout", ""},
	{"gradient", "What speaks to the gradient", "Identities for values; Grad reads them and Compile removes them."},
	{"control", "Conversion, tuples, modes", ""},
	{"effect", "What acts when the tape runs", ""},
}

// page writes operators.md.
func page(c *catalogue, facts *facts) string {
	var b strings.Builder
	b.WriteString(`# Operators

<!-- Written by docs/generate from package ops; change what stands there and run make docs. -->

Functions of package [` + "`ops`](../ops)" + ` build nodes; nothing is computed until a program runs. Nodes are written without their type here, and a call
such as ` + "`Softmax(x, axis int)`" + ` is ` + "`ops.Softmax(x, axis)`" + ` in a program. The last column says what stands on the tape: an operator by its name, with the
shapes of a sample; or what a function is made of, for which the compiler has the same rules as for what a user composes.

`)
	for _, paragraph := range paragraphs(c.doc)[1:] {
		b.WriteString(paragraph + "\n\n")
	}
	b.WriteString(`* **fuses**: computed block by block together with its neighbours, so what lies between them never reaches memory.
* **in place**: its result may lie where an operand was that is not needed any more.
* **no gradient**: none flows, and none is missed. All others have derivatives of any order.

`)
	var order []family
	for _, f := range families {
		order = append(order, family{f.file, f.title, f.story, nil})
	}
	for _, f := range c.functions {
		at := slices.IndexFunc(order, func(g family) bool { return g.file == f.file })
		if at < 0 {
			title, story := fallback(f.file, c.stories[f.file])
			order = append(order, family{f.file, title, story, nil})
			at = len(order) - 1
		}
		order[at].functions = append(order[at].functions, f)
	}
	order = slices.DeleteFunc(order, func(g family) bool { return len(g.functions) == 0 })

	b.WriteString("| family | functions |\n|---|---|\n")
	for _, g := range order {
		var names []string
		for _, f := range g.functions {
			names = append(names, "`"+f.name+"`")
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", g.title, anchor(g.title), strings.Join(names, " "))
	}
	for _, g := range order {
		g.write(&b, c, facts)
	}
	b.WriteString("\n## Rewrites\n\nWhat is written in a form that loses digits or time is replaced by one that does not, before differentiating and when compiling.\n\n| rule | applies to | because |\n|---|---|---|\n")
	for _, r := range facts.Rules {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.Name, r.Root, cell(r.Why))
	}
	hidden := slices.Clone(facts.Orphan)
	for _, d := range c.defs {
		if name := facts.Defs[d].Name; !strings.Contains(b.String(), "`"+name+"`") {
			hidden = append(hidden, name)
		}
	}
	if len(hidden) > 0 {
		fmt.Fprintf(&b, "\n## Operators of gradients\n\nThese stand on tapes, but no function here builds them: the gradients of others do. `%s`.\n", strings.Join(hidden, "`, `"))
	}
	return b.String()
}

// family is a section of the page.
type family struct {
	file, title, story string
	functions          []*function
}

// fallback makes a title and a story of a file's name and of the comment on its definitions.
func fallback(file, comment string) (title, story string) {
	title = strings.ToUpper(file[:1]) + strings.ReplaceAll(file[1:], "_", " ")
	_, story, _ = strings.Cut(strings.Join(strings.Fields(comment), " "), ". ") // "The definitions of …." says no more than the title
	return title, story
}

func (g family) write(b *strings.Builder, c *catalogue, facts *facts) {
	fmt.Fprintf(b, "\n## %s\n\n", g.title)
	story := g.story
	if story == "" {
		_, story = fallback(g.file, c.stories[g.file])
	}
	if story != "" {
		b.WriteString(story + "\n\n")
	}
	pictures := 0
	for _, f := range g.functions {
		if _, ok := facts.Curves[f.name]; ok {
			fmt.Fprintf(b, "<img alt=\"%[1]s and its derivative\" src=\"pictures/%[2]s\">\n", f.name, pictureOf(f.name))
			pictures++
		}
	}
	if pictures > 0 {
		b.WriteString("\nBlue: the value. Orange, dashed: the derivative. Both axes have lines at whole numbers, the axes themselves are darker.\n\n")
	}
	shown := map[string]bool{} // definitions whose example stands already
	b.WriteString("| call | what it is | on the tape |\n|---|---|---|\n")
	for _, f := range g.functions {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.ReplaceAll(f.signature(), "|", `\|`), f.meaning(), cell(onTheTape(f, c, facts, shown)))
	}
}

// meaning is the doc comment, without the words that it begins with in Go.
func (f *function) meaning() string {
	return strings.TrimPrefix(strings.Join(paragraphs(f.doc), "<br>"), f.name+" returns ")
}

// onTheTape says what a function puts there.
func onTheTape(f *function, c *catalogue, facts *facts, shown map[string]bool) string {
	defs, calls := c.made(f.name)
	if len(defs) == 1 && len(calls) == 0 || len(defs) > 0 && matches(f.name, facts.Defs[defs[0]].Name) {
		d := facts.Defs[defs[0]]
		text := d.describe()
		if !d.Pointwise && !d.Composed && d.Example != "" && !shown[defs[0]] {
			text += "<br>" + d.Example
			shown[defs[0]] = true
		}
		return text
	}
	var parts []string
	for _, d := range defs {
		parts = append(parts, "`"+facts.Defs[d].Name+"`")
	}
	parts = append(parts, calls...)
	if len(parts) == 0 {
		return "a constant"
	}
	return "made of " + strings.Join(parts, ", ")
}

// matches reports whether a function is the plain form of an operator.
func matches(function, operator string) bool {
	return strings.HasPrefix(strings.ToLower(function), operator)
}

func (f fact) describe() string {
	parts := []string{"`" + f.Name + "`"}
	add := func(is bool, what string) {
		if is {
			parts = append(parts, what)
		}
	}
	add(f.Pointwise, "fuses")
	add(f.Composed, "expands into others that fuse")
	add(f.View, "costs nothing")
	add(f.Transparent, "vanishes when compiled")
	add(f.InPlace && !f.Pointwise, "in place")
	add(f.Impure, "never folded into a constant")
	add(f.Discrete, "no gradient")
	return strings.Join(parts, ", ")
}

// paragraphs renders a doc comment as Markdown for a table's cell: a paragraph each, code as code.
func paragraphs(text string) (list []string) {
	printer := &comment.Printer{}
	for _, block := range new(comment.Parser).Parse(text).Content {
		if code, ok := block.(*comment.Code); ok {
			for _, line := range strings.Split(strings.TrimRight(code.Text, "\n"), "\n") {
				list = append(list, cell("`"+line+"`"))
			}
			continue
		}
		markdown := printer.Markdown(&comment.Doc{Content: []comment.Block{block}})
		list = append(list, cell(strings.Join(strings.Fields(string(markdown)), " ")))
	}
	return list
}

// cell escapes what would end a table's cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// anchor is where GitHub puts a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-':
			b.WriteRune(r)
		}
	}
	return b.String()
}
