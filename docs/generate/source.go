package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// catalogue is what the source of package ops says.
type catalogue struct {
	doc       string              // of the package
	functions []*function         // that build nodes, in order of files and lines
	defs      []string            // exported variables of definitions: "ReLUDef"
	stories   map[string]string   // by file: the comment on its definitions
	uses      map[string][]string // by function, exported or not: definitions and functions that its body names, in order
}

// function is a constructor.
type function struct {
	name, file string
	doc        string
	params     []param
	results    []string // names, "" where they have none; types are nodes or lists of nodes
}

type param struct{ name, typ string }

// parse reads the package in a folder.
func parse(folder string) (*catalogue, error) {
	c := &catalogue{stories: map[string]string{}, uses: map[string][]string{}}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, filepath.Join(folder, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
		name := strings.TrimSuffix(e.Name(), ".go")
		if f.Doc != nil {
			c.doc += f.Doc.Text()
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				c.variables(name, d)
			case *ast.FuncDecl:
				if d.Recv == nil {
					c.function(name, d)
				}
			}
		}
	}
	if _, err := doc.NewFromFiles(files, parsed, "ops"); err != nil {
		return nil, err
	}
	if len(c.functions) == 0 {
		return nil, fmt.Errorf("%s has no functions that build nodes", folder)
	}
	return c, nil
}

// variables notes the definitions that a declaration makes, and what it says of them.
func (c *catalogue) variables(file string, d *ast.GenDecl) {
	for _, s := range d.Specs {
		v, ok := s.(*ast.ValueSpec)
		if !ok || d.Tok != token.VAR {
			continue
		}
		for _, n := range v.Names {
			if n.IsExported() && strings.HasSuffix(n.Name, "Def") {
				c.defs = append(c.defs, n.Name)
				c.stories[file] = d.Doc.Text()
			}
		}
	}
}

// function notes a function: what its body names, and if it builds nodes and is exported, all that there is to say of it.
func (c *catalogue) function(file string, d *ast.FuncDecl) {
	var uses []string
	note := func(name string) {
		if !slices.Contains(uses, name) && name != d.Name.Name {
			uses = append(uses, name)
		}
	}
	ast.Inspect(d.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr: // of another package or a method
			ast.Inspect(n.X, func(n ast.Node) bool { c.inspectCall(n, note); return true })
			return false
		case *ast.Ident:
			if strings.HasSuffix(n.Name, "Def") && n.IsExported() {
				note(n.Name)
			}
		}
		c.inspectCall(n, note)
		return true
	})
	c.uses[d.Name.Name] = uses
	if !d.Name.IsExported() {
		return
	}
	f := &function{name: d.Name.Name, file: file, doc: d.Doc.Text()}
	f.params = fields(d.Type.Params)
	nodes := false
	for _, r := range fields(d.Type.Results) {
		nodes = nodes || strings.HasSuffix(r.typ, "*graph.Node")
		f.results = append(f.results, r.name)
	}
	if nodes {
		c.functions = append(c.functions, f)
	}
}

// inspectCall notes the function of this package that a node calls, if it does.
func (c *catalogue) inspectCall(n ast.Node, note func(string)) {
	if call, ok := n.(*ast.CallExpr); ok {
		if id, ok := call.Fun.(*ast.Ident); ok {
			note(id.Name)
		}
	}
}

// fields lists parameters or results, one for each name.
func fields(list *ast.FieldList) (params []param) {
	if list == nil {
		return nil
	}
	for _, f := range list.List {
		typ := typeText(f.Type)
		if len(f.Names) == 0 {
			params = append(params, param{"", typ})
		}
		for _, n := range f.Names {
			params = append(params, param{n.Name, typ})
		}
	}
	return params
}

func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + typeText(e.X)
	case *ast.SelectorExpr:
		return typeText(e.X) + "." + e.Sel.Name
	case *ast.Ellipsis:
		return "..." + typeText(e.Elt)
	case *ast.ArrayType:
		return "[]" + typeText(e.Elt)
	case *ast.FuncType:
		return "func"
	}
	return "any"
}

// signature is how the function is called: nodes without their type, everything else with it.
func (f *function) signature() string {
	var params []string
	for i, p := range f.params {
		typ := p.typ
		if i+1 < len(f.params) && f.params[i+1].typ == typ {
			typ = "*graph.Node" // as Go does, the type stands after the last of several
		}
		switch typ {
		case "*graph.Node":
			params = append(params, p.name)
		case "...*graph.Node":
			params = append(params, p.name+"...")
		default:
			params = append(params, p.name+" "+strings.NewReplacer("*graph.", "", "graph.", "").Replace(typ))
		}
	}
	s := f.name + "(" + strings.Join(params, ", ") + ")"
	if named := slices.DeleteFunc(slices.Clone(f.results), func(n string) bool { return n == "" }); len(named) > 1 {
		s += " → " + strings.Join(named, ", ")
	}
	return s
}

// made returns the definitions that a function applies itself, and the exported functions that it calls for the rest. Helpers,
// which are not exported, are looked through.
func (c *catalogue) made(name string) (defs, calls []string) {
	exported := map[string]bool{}
	for _, f := range c.functions {
		exported[f.name] = true
	}
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, u := range c.uses[name] {
			switch {
			case slices.Contains(c.defs, u):
				if !slices.Contains(defs, u) {
					defs = append(defs, u)
				}
			case exported[u]:
				if !slices.Contains(calls, u) {
					calls = append(calls, u)
				}
			default:
				visit(u)
			}
		}
	}
	visit(name)
	return defs, calls
}
