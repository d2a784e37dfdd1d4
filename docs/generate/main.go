// Command generate writes docs/operators.md and docs/pictures from package ops: what stands there is read from the doc comments,
// the operators' definitions and what they compute, so it is true as long as it is fresh. Run it by make docs.
//
// Functions are found in the source (source.go). What only a running program knows, such as the facts of a definition and the
// curve of an activation, is asked of a small program that is written, run and thrown away (probe.go).
package main

//go:generate go run . -root ../..

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "folder of the module")
	out := flag.String("out", "", "folder to write to; the module's docs if empty")
	flag.Parse()
	if *out == "" {
		*out = filepath.Join(*root, "docs")
	}
	if err := generate(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate writes operators.md and pictures into folder out.
func generate(root, out string) error {
	c, err := parse(filepath.Join(root, "ops"))
	if err != nil {
		return err
	}
	facts, err := c.probe(root)
	if err != nil {
		return err
	}
	pictures := filepath.Join(out, "pictures")
	if err := os.RemoveAll(pictures); err != nil { // those of functions that are gone
		return err
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	for name, curve := range facts.Curves {
		if err := os.WriteFile(filepath.Join(pictures, pictureOf(name)), []byte(curve.svg()), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "operators.md"), []byte(page(c, facts)), 0o644)
}
