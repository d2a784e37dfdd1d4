module github.com/tapir-ml/tapir/bench

go 1.25.0

replace github.com/tapir-ml/tapir => ../

require (
	github.com/tapir-ml/tapir v0.0.0
	golang.org/x/sys v0.47.0
	gonum.org/v1/gonum v0.17.0
)
