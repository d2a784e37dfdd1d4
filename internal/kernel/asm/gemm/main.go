// Command gemm generates the AVX2 and FMA micro-kernels of package kernel's matrix products. Run it as `make gen` does.
package main

//go:generate sh gen.sh

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	layoutPath := flag.String("layout", "", "Go `file` for the struct offsets the assembly relies on")
	ConstraintExpr("!noasm")
	flag.Parse()
	for _, e := range []*element{&float32Element, &float64Element} {
		e.gemm()
		e.dots()
		e.transpose()
		e.peak()
	}
	copyPanels()
	if *layoutPath != "" {
		if err := writeLayout(*layoutPath); err != nil {
			log.Fatal(err)
		}
	}
	Generate()
}
