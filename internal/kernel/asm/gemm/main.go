// Command gemm generates the AVX2 and FMA micro-kernels of package kernel's matrix products. `make gen` runs it.
package main

//go:generate go run . -out ../../gemm_amd64.s -stubs ../../gemm_amd64.go -pkg kernel -layout ../../gemm_layout_amd64.go

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
